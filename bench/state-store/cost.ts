// What a change costs: processor time of the server and of the client, and how much of the latter stands still for its garbage.

import { PerformanceObserver } from "node:perf_hooks";
import { startRedis } from "@parallax/testing";
import { numbers } from "../event-bus/options.ts";
import { type OpenSubject, subjects } from "./subjects.ts";

const { inFlight, changes, rounds } = numbers({ inFlight: 100, changes: 10_000, rounds: 5 });

/** Microseconds of a change, and milliseconds of the longest pause. */
interface Cost {
  readonly server: number;
  readonly client: number;
  readonly garbage: number;
  readonly longestPauseMs: number;
}

const pausesMs: number[] = [];
new PerformanceObserver((list) => {
  pausesMs.push(...list.getEntries().map(({ duration }) => duration));
}).observe({ entryTypes: ["gc"] });

const redis = await startRedis();

async function serverMicros(): Promise<number> {
  const info = String(await redis.send("INFO", "cpu"));
  const seconds = ["user", "sys"].map((kind) =>
    Number(new RegExp(`^used_cpu_${kind}:([\\d.]+)`, "m").exec(info)?.[1]),
  );
  return seconds.reduce((sum, part) => sum + part, 0) * 1e6;
}

async function change(open: OpenSubject, total: number): Promise<void> {
  let begun = 0;
  const clients = Array.from({ length: inFlight }, async () => {
    while (begun < total) {
      begun += 1;
      await open.change();
    }
  });
  await Promise.all(clients);
}

async function measure(open: OpenSubject): Promise<Cost> {
  await change(open, changes / 2);
  const before = await serverMicros();
  pausesMs.length = 0;
  const clientBefore = process.cpuUsage();
  await change(open, changes);
  const { user, system } = process.cpuUsage(clientBefore);
  const server = (await serverMicros()) - before;
  const paused = pausesMs.reduce((sum, ms) => sum + ms, 0);
  return {
    server: server / changes,
    client: (user + system) / changes,
    garbage: (paused * 1000) / changes,
    longestPauseMs: Math.max(0, ...pausesMs),
  };
}

const costs = new Map<string, Cost[]>(subjects.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const { name, open } of subjects) {
    await redis.send("FLUSHALL");
    const opened = await open(redis.url);
    costs.get(name)?.push(await measure(opened));
    await opened.close();
  }
}
await redis.stop();

/** Others on the machine only ever add to it. */
const least = (name: string, part: keyof Cost): string =>
  Math.min(...(costs.get(name) ?? []).map((cost) => cost[part])).toFixed(1);
console.log(`µs a change; the least of ${rounds} rounds of ${changes} changes, ${inFlight} in flight`);
console.table(
  Object.fromEntries(
    subjects.map(({ name }) => [
      name,
      {
        server: least(name, "server"),
        client: least(name, "client"),
        "of that garbage": least(name, "garbage"),
        "longest pause, ms": least(name, "longestPauseMs"),
      },
    ]),
  ),
);
