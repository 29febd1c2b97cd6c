export {
  type Backends,
  createMemorySpace,
  type MemorySpace,
  memoryBackends,
  redisBackends,
} from "./backends.ts";
export { type ConfigProblem, type LoadedConfig, type LoadOptions, loadConfig } from "./config/load.ts";
export type { Config } from "./config/schema.ts";
export { createLogger } from "./log.ts";
export { type NodeOptions, runNode } from "./node/run-node.ts";
