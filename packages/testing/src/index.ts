export { type Backend, describeBackend } from "./backends.ts";
export { eventually } from "./eventually.ts";
export { freePort } from "./free-port.ts";
export { type RedisFixture, type RedisFixtureOptions, startRedis } from "./redis-server.ts";
export { createVirtualClock, type VirtualClock, type VirtualClockOptions } from "./virtual-clock.ts";
