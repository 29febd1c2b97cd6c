import { ensurePrograms } from "./programs.mjs";

/** @typedef {import("./command.mjs").Outcome & { note?: string }} Outcome */

/**
 * Makes sure that the programs of Redis are here; the tests start their own servers on free ports.
 *
 * @param {{ timeoutMs: number }} options
 * @returns {Promise<Outcome>}
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

/**
 * Makes sure that PostgreSQL is here, which one of the examples writes to; its test starts a server of its own.
 *
 * @param {{ timeoutMs: number }} options
 * @returns {Promise<Outcome>}
 */
export function ensurePostgres(options) {
  const postgres = {
    programs: ["initdb", "postgres"],
    packages: ["postgresql"],
    brew: "postgresql",
    elsewhere: "install PostgreSQL with initdb and postgres on the PATH",
  };
  return ensurePrograms(postgres, options);
}
