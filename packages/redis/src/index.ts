export type {
  CallOptions,
  ChannelMessage,
  ConnectionState,
  RedisConnection,
  RedisConnections,
  RedisMode,
  RedisReply,
  RedisRole,
  ScriptResult,
} from "./connection.ts";
export type { KeySpace, KeySpaceOptions } from "./key-space.ts";
export type { Script } from "./script.ts";
