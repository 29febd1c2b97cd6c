import type { Redis } from "ioredis";

/** `due`: it is this caller's to run. `done`: it ran before. `fenced`: a later leader has been here. */
export type Claim = "due" | "done" | "fenced";

/** Remembers which due times of a job have been run, and the highest fencing token that it has seen. */
export interface Ledger {
  /** Marks `slot` as run *before* it is run, so that it runs at most once, whoever leads. */
  claim(job: string, slot: number, token: number): Promise<Claim>;
}

/** A ledger in this process. */
export function memoryLedger(): Ledger {
  const jobs = new Map<string, { slot: number; fence: number }>();
  return {
    async claim(job, slot, token) {
      const last = jobs.get(job) ?? { slot: -1, fence: 0 };
      if (token < last.fence) return "fenced";
      jobs.set(job, { slot: Math.max(slot, last.slot), fence: token });
      return slot > last.slot ? "due" : "done";
    },
  };
}

/** KEYS[1]: hash of a job, `slot` and `fence`. ARGV: slot, token. Returns the claim. */
const claimLua = `
local last = tonumber(redis.call('HGET', KEYS[1], 'slot') or '-1')
local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
local slot, token = tonumber(ARGV[1]), tonumber(ARGV[2])
if token < fence then return 'fenced' end
redis.call('HSET', KEYS[1], 'slot', string.format('%.0f', math.max(slot, last)), 'fence', ARGV[2])
return slot > last and 'due' or 'done'
`;

/** A ledger in Redis: one hash a job. */
export function redisLedger(redis: Redis): Ledger {
  return {
    async claim(job, slot, token) {
      const answer = await redis.eval(claimLua, 1, `cron:${job}`, slot, token);
      return answer === "due" || answer === "done" ? answer : "fenced";
    },
  };
}
