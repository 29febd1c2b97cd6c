// From the leader's end until another leads: when it stops, and when it is killed.

import { startRedis } from "@parallax/testing";
import { leaderOf, numbers, pause, quantile, startThree, within } from "./measure.ts";
import { type Subject, subjects } from "./subjects.ts";

const { rounds, lease } = numbers({ rounds: 20, lease: 1500 });

/** Milliseconds without a leader, each round with candidates of its own. */
async function measure(subject: Subject, url: string, how: "stop" | "kill"): Promise<number> {
  const candidates = await startThree(subject, url, lease);
  await pause(Math.random() * lease);
  const leader = leaderOf(candidates);
  if (!leader) throw new Error(`${subject.name}: the leader is gone`);
  const startedAt = performance.now();
  if (how === "stop") void leader.stop();
  else leader.kill();
  const others = candidates.filter((candidate) => candidate !== leader);
  const found = await within(10 * lease, () => leaderOf(others));
  const ms = found ? performance.now() - startedAt : Number.POSITIVE_INFINITY;
  await Promise.all(others.map((candidate) => candidate.stop()));
  return ms;
}

const redis = await startRedis();
const results = new Map(subjects.map(({ name }) => [name, { stop: [] as number[], kill: [] as number[] }]));
for (let round = 0; round < rounds; round += 1) {
  for (const subject of subjects) {
    for (const how of ["stop", "kill"] as const) {
      await redis.send("DEL", "parallax:ha:lease", "parallax:ha:leader", "bench:leader", "bench");
      results.get(subject.name)?.[how].push(await measure(subject, redis.url, how));
    }
  }
}
await redis.stop();

console.log(`without a leader, lease ${lease} ms, three candidates, ${rounds} rounds`);
console.table(
  Object.fromEntries(
    [...results].map(([name, { stop, kill }]) => [
      name,
      {
        "stopped, p50 ms": Math.round(quantile(stop, 0.5)),
        "stopped, p99 ms": Math.round(quantile(stop, 0.99)),
        "killed, p50 ms": Math.round(quantile(kill, 0.5)),
        "killed, p99 ms": Math.round(quantile(kill, 0.99)),
        "killed, p99 in leases": (quantile(kill, 0.99) / lease).toFixed(2),
      },
    ]),
  ),
);
