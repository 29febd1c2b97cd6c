// How long a scrape of many series holds up the event loop.

import { createMetrics } from "@parallax/metrics";
import { check, options, pause, quantile } from "../agents/options.ts";

const { series, scrapes } = options({ series: 10_000, scrapes: 50 });

const metrics = createMetrics({ nodeId: "node-0" });
/** Each of these is 17 series: 15 buckets, their sum and their count. */
const statuses = [200, 202, 400, 404, 503];
for (let index = 0; index * statuses.length * 17 < series; index += 1)
  for (const status of statuses)
    metrics.observeHttp({ route: `/api/resource-${index}`, method: "GET", status, seconds: index / 1000 });

/** The longest time between two turns of the loop until `work` is done, by the clock and by the processor. */
async function stallOf(
  work: () => Promise<unknown>,
): Promise<{ readonly wallMs: number; readonly cpuMs: number }> {
  let wallMs = 0;
  let cpuMs = 0;
  let lastMs = performance.now();
  let lastCpu = process.cpuUsage();
  let isOver = false;
  const turn = (): void => {
    const nowMs = performance.now();
    wallMs = Math.max(wallMs, nowMs - lastMs);
    lastMs = nowMs;
    const { user, system } = process.cpuUsage(lastCpu);
    cpuMs = Math.max(cpuMs, (user + system) / 1000);
    lastCpu = process.cpuUsage();
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  await pause(5);
  return { wallMs, cpuMs };
}

let shown = 0;
const stalls: { readonly wallMs: number; readonly cpuMs: number }[] = [];
for (let scrape = 0; scrape < scrapes; scrape += 1) {
  stalls.push(
    await stallOf(async () => {
      const { body } = await metrics.expose();
      shown = body.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    }),
  );
  await pause(20);
}
metrics.close();
// The first ones compile the code; every later scrape counts.
const warm = stalls.slice(5);
const wall = warm.map(({ wallMs }) => wallMs);
const cpu = warm.map(({ cpuMs }) => cpuMs);
console.log(`${shown} series, ${scrapes} scrapes, by the clock: median ${quantile(wall, 0.5).toFixed(1)} ms`);
console.log(
  `by the processor: median ${quantile(cpu, 0.5).toFixed(1)} ms, worst ${Math.max(...cpu).toFixed(1)} ms`,
);
check(
  "a scrape stalls the loop for at most 20 ms",
  Math.max(...wall) <= 20,
  `${Math.max(...wall).toFixed(1)} ms`,
);
