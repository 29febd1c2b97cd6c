// How long until all members know that one is gone: killed, and leaving.

import { eventually, startRedis } from "@parallax/testing";
import {
  failAfterMs,
  type Line,
  type MemberProcess,
  nowMs,
  numbers,
  type PresetName,
  presetNames,
  startMembers,
} from "./members.ts";

const {
  members: count,
  clusters: perPreset,
  kills,
  leaves,
} = numbers({
  members: 4,
  clusters: 25,
  kills: 4,
  leaves: 4,
});

const clusters = presetNames.flatMap((preset) =>
  Array.from({ length: perPreset }, (_, index) => `${preset}-${index}`),
);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** When an observer was told of it in a cluster, after `sinceMs`. */
function toldAt(
  observer: MemberProcess,
  what: Line["what"],
  cluster: string,
  member: string,
  sinceMs: number,
) {
  for (const line of observer.lines())
    if (
      "cluster" in line &&
      line.what === what &&
      line.cluster === cluster &&
      line.member === member &&
      line.atMs > sinceMs
    )
      return line.atMs;
  return undefined;
}

/** For each cluster, milliseconds from its departure until the last observer was told. */
async function untilAllTold(
  observers: readonly MemberProcess[],
  what: "failed" | "left",
  member: string,
  departedAtMs: (cluster: string) => number,
): Promise<Map<string, number>> {
  return eventually(
    () => {
      const delays = new Map<string, number>();
      for (const cluster of clusters) {
        const sinceMs = departedAtMs(cluster);
        const moments = observers.map((observer) => toldAt(observer, what, cluster, member, sinceMs));
        if (moments.some((moment) => moment === undefined)) return undefined;
        delays.set(cluster, Math.max(...moments.map((moment) => (moment ?? 0) - sinceMs)));
      }
      return delays;
    },
    { timeoutMs: 4 * failAfterMs("default"), everyMs: 200, message: `all to be told that ${member} ${what}` },
  );
}

const redis = await startRedis();
const members = await startMembers({ url: redis.url, clusters, count });
const delays = new Map<string, number[]>();

function note(what: string, found: ReadonlyMap<string, number>): void {
  for (const [cluster, ms] of found) {
    const key = `${what}, ${cluster.split("-")[0]}`;
    delays.set(key, [...(delays.get(key) ?? []), ms]);
  }
}

await members.allSeen();
for (let round = 0; round < kills + leaves; round += 1) {
  const index = round % count;
  const victim = members.processes[index];
  if (!victim) continue;
  const observers = members.processes.filter((each) => each !== victim);
  await pause(Math.random() * 5000);
  const sinceMs = nowMs();
  if (round < kills) {
    await victim.process.kill();
    note("killed", await untilAllTold(observers, "failed", victim.id, () => sinceMs));
  } else {
    await victim.process.stop({ timeoutMs: 60_000 });
    const leaving = new Map(
      victim.lines().flatMap((line) => (line.what === "leaving" ? [[line.cluster, line.atMs]] : [])),
    );
    const leftAt = (cluster: string): number => leaving.get(cluster) ?? Number.NaN;
    note("left", await untilAllTold(observers, "left", victim.id, leftAt));
  }
  await members.restart(index);
  await members.allSeen();
}
await members.stop();
await redis.stop();

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function limitMs(what: string): number {
  const preset: PresetName = what.endsWith("fast") ? "fast" : "default";
  return what.startsWith("killed") ? failAfterMs(preset) + 1000 : 100;
}

console.log(
  `${count} processes, ${perPreset} clusters of each preset, ${kills} kills and ${leaves} leaves; ms until all know`,
);
console.table(
  Object.fromEntries(
    [...delays].map(([what, values]) => [
      what,
      {
        trials: values.length,
        p50: Math.round(quantile(values, 0.5)),
        p99: Math.round(quantile(values, 0.99)),
        max: Math.round(Math.max(...values)),
        limit: limitMs(what),
      },
    ]),
  ),
);
process.exit(0);
