export { checkRights } from "./check-rights.ts";
export {
  checkServer,
  oldestRedis,
  type ServerFinding,
  type ServerFindingCode,
  type ServerFindings,
} from "./check-server.ts";
export type { RedisOptions, RedisSentinelOptions, RedisTlsOptions } from "./clients.ts";
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
  type ConnectionsOptions,
  createConnections,
  openConnections,
  type RedisSource,
} from "./connections.ts";
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
export { createKeySpace, type KeySpace, type KeySpaceOptions } from "./key-space.ts";
export { nowLua, serverIdentityLua } from "./lua.ts";
export { createReachability, type Reachability, type ReachabilityOptions } from "./reachability.ts";
export { defineScript, type Script } from "./script.ts";
export type { ReplicaInfo, ServerInfo } from "./server-info.ts";
export { slotCount, slotOf } from "./slot.ts";
