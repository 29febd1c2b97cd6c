// Redis hangs for longer than a lease: for how long does the old leader act without one, and does leading go on afterwards?

import { startRedis } from "@parallax/testing";
import { leaderOf, numbers, pause, startThree, within } from "./measure.ts";
import { type Subject, subjects } from "./subjects.ts";

const { rounds, lease } = numbers({ rounds: 5, lease: 1500 });

interface Outcome {
  /** For how long somebody led after every lease had run out. */
  readonly unleasedMs: number;
  /** From the return of Redis until somebody leads on a lease, or Infinity. */
  readonly recoveryMs: number;
  /** Looks at which more than one led. */
  readonly overlaps: number;
}

async function measure(subject: Subject): Promise<Outcome> {
  const redis = await startRedis();
  const candidates = await startThree(subject, redis.url, lease);
  await pause(lease);
  redis.pause();
  const expiredAt = performance.now() + lease;
  let unleasedMs = 0;
  let overlaps = 0;
  const look = (): void => {
    const leading = candidates.filter((candidate) => candidate.leads()).length;
    if (leading > 1) overlaps += 1;
    if (leading > 0 && performance.now() > expiredAt) unleasedMs = performance.now() - expiredAt;
  };
  for (const until = expiredAt + 2 * lease; performance.now() < until; await pause(1)) look();
  redis.resume();
  const resumedAt = performance.now();
  // Who claims to lead at this moment has no lease yet, so it has to show in Redis.
  const found = await within(6 * lease, () => {
    if (leaderOf(candidates)) return true;
    return undefined;
  });
  const recoveryMs = found ? performance.now() - resumedAt : Number.POSITIVE_INFINITY;
  for (const until = performance.now() + 2 * lease; performance.now() < until; await pause(1)) {
    if (candidates.filter((candidate) => candidate.leads()).length > 1) overlaps += 1;
  }
  for (const candidate of candidates) candidate.kill();
  await redis.stop();
  return { unleasedMs, recoveryMs, overlaps };
}

const table: Record<string, Record<string, string | number>> = {};
for (const subject of subjects) {
  const outcomes: Outcome[] = [];
  for (let round = 0; round < rounds; round += 1) outcomes.push(await measure(subject));
  table[subject.name] = {
    "led without a lease, worst ms": Math.round(Math.max(...outcomes.map(({ unleasedMs }) => unleasedMs))),
    "a leader again, worst ms": Math.round(Math.max(...outcomes.map(({ recoveryMs }) => recoveryMs))),
    "rounds with two leaders": outcomes.filter(({ overlaps }) => overlaps > 0).length,
  };
}
console.log(`Redis hangs for three leases of ${lease} ms, ${rounds} rounds`);
console.table(table);
process.exit(0);
