// What candidates cost Redis while nothing happens: ours by role, and three of each peer.

import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { numbers, pause, startThree, within } from "./measure.ts";
import { subjects } from "./subjects.ts";

const { seconds, lease, standbys } = numbers({ seconds: 60, lease: 15_000, standbys: 20 });

const redis = await startRedis();
const client = new Redis(redis.url);
const watcher = await client.monitor();
let commands = 0;
let scripts = 0;
// What a script does inside of Redis costs no round trip.
watcher.on("monitor", (_time: string, [name]: readonly string[], source: string) => {
  if (source === "lua") return;
  commands += 1;
  if (name?.toLowerCase().startsWith("eval")) scripts += 1;
});

/** Requests of clients in a second, of any kind and scripts alone. */
async function count(): Promise<{ readonly any: number; readonly scripts: number }> {
  commands = 0;
  scripts = 0;
  await pause(seconds * 1000);
  return { any: commands / seconds, scripts: scripts / seconds };
}
const shown = (any: number, evals: number) => ({
  "requests/s": any.toFixed(3),
  "of them EVALSHA/s": evals.toFixed(3),
});

const table: Record<string, Record<string, string>> = {};
const [ours, ...peers] = subjects;
if (!ours) throw new Error("nothing to measure");
const leader = await ours.start(redis.url, "leader", lease);
await within(3 * lease, () => (leader.leads() ? true : undefined));
await pause(2000);
const alone = await count();
table[`${ours.name}, the leader`] = shown(alone.any, alone.scripts);
const others = await Promise.all(
  Array.from({ length: standbys }, (_, index) => ours.start(redis.url, `standby-${index}`, lease)),
);
await pause(lease);
const together = await count();
const each = (both: number, one: number): number => (both - one) / standbys;
table[`${ours.name}, each of ${standbys} standbys`] = shown(
  each(together.any, alone.any),
  each(together.scripts, alone.scripts),
);
await Promise.all([leader, ...others].map((candidate) => candidate.stop()));

for (const subject of [ours, ...peers]) {
  // Only what is there: a Redis that was told to forget everything makes a first start wait for a lease.
  await redis.send("DEL", "parallax:ha:lease", "parallax:ha:leader");
  const candidates = await startThree(subject, redis.url, lease);
  await pause(2000);
  const { any, scripts: evals } = await count();
  table[`${subject.name}, three candidates`] = shown(any, evals);
  await Promise.all(candidates.map((candidate) => candidate.stop()));
}
watcher.disconnect();
client.disconnect();
await redis.stop();
console.log(`at rest for ${seconds} s, lease ${lease} ms`);
console.table(table);
