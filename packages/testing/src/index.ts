export { type Backend, describeBackend } from "./backends.ts";
export { type BundledScript, bundleInto, bundleScript } from "./bundle.ts";

export { type Certificates, createCertificates } from "./certificates.ts";
export { type Child, type ChildExit, type ChildOptions, startChild } from "./child.ts";

export { type EventuallyOptions, eventually } from "./eventually.ts";
export {
  createFaultProxy,
  type FaultProxy,
  type FaultProxyOptions,
  type ProxyCounts,
  type ProxyDirection,
} from "./fault-proxy.ts";
export { freePort } from "./free-port.ts";
export {
  giveLeastRights,
  type LeastRightsOptions,
  leastRightsConfig,
  leastUser,
  refusals,
} from "./least-rights.ts";
export { type ProcessFixture, type ProcessOptions, startProcess } from "./process.ts";
export { type ClusterFixture, type ClusterFixtureOptions, startCluster } from "./redis-cluster.ts";
export { type SentinelFixture, type SentinelFixtureOptions, startSentinel } from "./redis-sentinel.ts";
export { type RedisFixture, type RedisFixtureOptions, startRedis } from "./redis-server.ts";
export type { SlotMove } from "./slot-move.ts";
export { createTemporaryDirectory, type TemporaryDirectory } from "./temporary-directory.ts";
export {
  createTimeline,
  type NodeClock,
  type NodeClockOptions,
  type Timeline,
  type TimelineOptions,
} from "./timeline.ts";
export { createVirtualClock, type VirtualClock, type VirtualClockOptions } from "./virtual-clock.ts";
