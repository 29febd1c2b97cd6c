import { ensurePrograms } from "./programs.mjs";

/**
 * Makes sure that the programs of Redis are here; the tests start their own servers on free ports.
 *
 * @param {{ timeoutMs: number }} options
 * @returns {Promise<import("./command.mjs").Outcome & { note?: string }>}
 */
export function ensureRedis(options) {
  const redis = {
    programs: ["redis-server", "redis-sentinel", "redis-cli"],
    packages: ["redis-server", "redis-sentinel", "redis-tools"],
    brew: "redis",
    elsewhere: "install Redis 6.2 or newer with redis-server, redis-sentinel and redis-cli on the PATH",
  };
  return ensurePrograms(redis, options);
}
