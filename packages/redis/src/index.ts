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
export {
  appendEventsLua,
  defaultMaxLogAgeMs,
  defaultMaxLogEntries,
  type EventLogKeys,
  type EventLogPlace,
  eventLogKeys,
  openEventLogLua,
  rfc3339Lua,
} from "./event-log.ts";
export type { KeySpace, KeySpaceOptions } from "./key-space.ts";
export type { Script } from "./script.ts";
