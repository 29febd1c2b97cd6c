import { isParallaxError } from "@parallax/core";
import type { ServerFinding } from "./check-server.ts";
import type { RedisConnection } from "./connection.ts";
import { createKeySpace, type KeySpace } from "./key-space.ts";
import { defineScript } from "./script.ts";

/**
 * Tries each command that scripts use, so that it is refused for want of a right or else does nothing: reads and removals of
 * what there is not, writes that can't be carried out. `ACL DRYRUN` would be another right, and Redis 6.2 has none.
 *
 * KEYS[1] a text that is there (else what would write to it is left out) · KEYS[2] a key that is never there
 * ARGV[1] a channel that nobody listens to
 * Returns the commands that were refused. Both keys are of the coordination slot.
 */
const rightsScript = defineScript({
  name: "redis.rights",
  readOnly: true,
  lua: `
local present, absent, channel = KEYS[1], KEYS[2], ARGV[1]
local missing = {}
-- As 6.2, 7.0, and 7.2 and newer say it.
local refusals = { 'NOPERM', 'The user executing the script', 'ACL failure in script' }
local function try(name, ...)
  local reply = redis.pcall(name, ...)
  local said = type(reply) == 'table' and reply.err or ''
  for _, refusal in ipairs(refusals) do
    if string.find(said, refusal, 1, true) then missing[#missing + 1] = string.lower(name) end
  end
  return reply
end
try('TIME')
try('INFO', 'memory')
local text = try('GET', present)
for _, name in ipairs({ 'EXISTS', 'DEL', 'UNLINK', 'HGETALL', 'HVALS', 'HLEN', 'ZCARD' }) do try(name, absent) end
for _, name in ipairs({ 'HGET', 'HMGET', 'HDEL', 'ZSCORE', 'ZREM' }) do try(name, absent, 'x') end
try('SET', absent, 'x', 'XX')
try('HSET', absent, 'x', 'x', 'y')
try('ZADD', absent, 'NX', 'XX', '1', 'x')
try('ZRANGE', absent, '0', '0')
try('ZRANGEBYSCORE', absent, '0', '0')
try('ZRANGEBYLEX', absent, '[x', '[x')
try('ZREVRANGEBYLEX', absent, '[x', '[x')
try('ZLEXCOUNT', absent, '[x', '[x')
try('XADD', absent, '0-0', 'x', 'x')
try('XRANGE', absent, '-', '+')
try('XTRIM', absent, 'MAXLEN', '0')
try('LRANGE', absent, '0', '0')
try('LTRIM', absent, '0', '0')
if type(text) == 'string' then
  try('HSETNX', present, 'x', 'x')
  try('RPUSH', present, 'x')
end
try('PUBLISH', channel, '')
return missing
`,
});

/**
 * Looks for rights that the user of a connection lacks, of those that docs/deployment.md lists.
 *
 * @param connection One that takes commands: `lease` or `data`.
 * @throws ParallaxError `timeout`, `redis_unavailable`, `redis_closed`, `redis_reply`
 */
export async function checkRights(
  connection: RedisConnection,
  options: {
    /** Default: prefix `parallax:`, hash tags on Cluster. */
    readonly keySpace?: KeySpace;
  } = {},
): Promise<readonly ServerFinding[]> {
  const { keySpace = createKeySpace({ cluster: connection.mode === "cluster" }) } = options;
  const { prefix } = keySpace;
  const line = "the ACL line in docs/deployment.md";
  const missing = await refused(connection, keySpace);
  const found = (message: string): readonly ServerFinding[] => [
    { severity: "error", code: "missing_rights", message: `checking Redis: ${message}` },
  ];
  if (missing === "keys")
    return found(`the user may not touch keys that begin with ${prefix}; give it the patterns of ${line}`);
  if (missing.length === 0) return [];
  const rules = missing.map((name) => `+${name}`).join(" ");
  return found(
    `the user may not use ${missing.join(", ")} on keys and channels that begin with ${prefix}; give it ${rules} and the patterns of ${line}`,
  );
}

async function refused(connection: RedisConnection, keySpace: KeySpace): Promise<readonly string[] | "keys"> {
  const keys = [keySpace.coordination("ha:cluster"), keySpace.coordination("ha:rights")];
  try {
    const { reply } = await connection.run(rightsScript, keys, [`${keySpace.prefix}events:rights`]);
    return Array.isArray(reply) ? reply.map(String) : [];
  } catch (error) {
    if (!isParallaxError(error, "redis_reply") || !error.message.includes("NOPERM")) throw error;
    // The script itself: it may not be run, or not with these keys.
    return /\bkeys?\b/.test(error.message) ? "keys" : ["eval", "evalsha"];
  }
}
