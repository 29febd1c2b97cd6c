// Executions through a control plane, side by side with flows and jobs of BullMQ, everything on this one machine: how many a
// second at most, and how long each takes from its submission to its end at a steady rate.
// `--seconds 10 --window 256 --rates 200,500,2000 --agents 3,1 --only Parallax --profile DIRECTORY`

import { parseArgs } from "node:util";
import { startRedis } from "@parallax/testing";
import { bullSubject } from "./bullmq.ts";
import { parallaxSubject } from "./parallax.ts";
import type { Running, Subject } from "./subject.ts";
import { difference, residentMiB, total, usage } from "./usage.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    window: { type: "string", default: "256" },
    rates: { type: "string", default: "200,500,2000" },
    agents: { type: "string", default: "3,1" },
    only: { type: "string", default: "" },
    profile: { type: "string", default: "" },
  },
});
const seconds = Number(options.seconds);
const list = (text: string): number[] => text.split(",").filter(Boolean).map(Number);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;

/** Notes when each submission began, and how long it took until it was heard of as done, whichever came first to our ears. */
function createWatch(running: Running) {
  const begun = new Map<string, number>();
  const early = new Map<string, number>();
  const latencies: number[] = [];
  let onDone: () => void = () => {};
  const finish = (startedMs: number, endedMs: number): void => {
    latencies.push(endedMs - startedMs);
    onDone();
  };
  running.onDone((id) => {
    const startedMs = begun.get(id);
    if (startedMs === undefined) early.set(id, performance.now());
    else if (begun.delete(id)) finish(startedMs, performance.now());
  });
  return {
    latencies,
    whenDone(listener: () => void): void {
      onDone = listener;
    },
    async submit(startedMs: number): Promise<void> {
      const id = await running.submit();
      const endedMs = early.get(id);
      if (endedMs === undefined) begun.set(id, startedMs);
      else if (early.delete(id)) finish(startedMs, endedMs);
    },
  };
}

/** As many as it can, with `window` under way at once. */
async function closedLoop(running: Running, window: number, ms: number): Promise<number> {
  const watch = createWatch(running);
  const untilMs = performance.now() + ms;
  let failures = 0;
  const refused = (): void => {
    failures += 1;
  };
  const submit = (): void => {
    if (performance.now() < untilMs) watch.submit(performance.now()).catch(refused);
  };
  watch.whenDone(submit);
  for (let index = 0; index < window; index += 1) submit();
  await pause(ms);
  const done = watch.latencies.length;
  await settled(watch.latencies);
  if (failures > 0) throw new Error(`${failures} submissions failed`);
  return done;
}

interface Steady {
  readonly sent: number;
  readonly latencies: readonly number[];
}

/** So many a second whatever comes back, each measured from when it was due. */
async function openLoop(running: Running, rate: number, ms: number): Promise<Steady> {
  const watch = createWatch(running);
  const startedMs = performance.now();
  const count = Math.floor((rate * ms) / 1000);
  let failures = 0;
  const refused = (): void => {
    failures += 1;
  };
  for (let index = 0; index < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - startedMs) / 1000) * rate));
    for (; index < due; index += 1) watch.submit(startedMs + (index / rate) * 1000).catch(refused);
    await pause(1);
  }
  await settled(watch.latencies, count);
  if (failures > 0) console.log(`  ${failures} of ${count} submissions were refused`);
  return { sent: count, latencies: watch.latencies.toSorted((a, b) => a - b) };
}

/** Waits until all are done, or nothing more comes for five seconds. */
async function settled(latencies: readonly number[], count = Number.POSITIVE_INFINITY): Promise<void> {
  for (
    let quietMs = 0, last = -1;
    quietMs < (count === Number.POSITIVE_INFINITY ? 500 : 5000);
    quietMs += 50
  ) {
    if (latencies.length >= count) return;
    if (latencies.length !== last) quietMs = 0;
    last = latencies.length;
    await pause(50);
  }
}

type Row = Record<string, string | number>;

async function measure(subject: Subject, agents: number): Promise<Row> {
  const redis = await startRedis();
  const running = await subject.start(redis.url, agents);
  try {
    await closedLoop(running, Number(options.window), 3000);
    const before = await usage(redis, running.pids);
    const startedMs = performance.now();
    const done = await closedLoop(running, Number(options.window), seconds * 1000);
    const perSecond = done / seconds;
    const used = difference(before, await usage(redis, running.pids));
    const spread = Object.entries(used.cpuSeconds).map(
      ([role, value]) => `${role} ${((1000 * value) / done).toFixed(2)}`,
    );
    console.log(
      `  ${subject.name}, ${agents}: ${done} in ${Math.round(performance.now() - startedMs)} ms; CPU s per 1,000: ${spread.join(", ")}`,
    );
    const row: Row = {
      "per s": Math.round(perSecond),
      "CPU s/1,000": ((1000 * total(used)) / done).toFixed(2),
      "Redis cmds each": (used.commands / done).toFixed(1),
    };
    for (const rate of list(options.rates)) {
      const { sent, latencies } = await openLoop(running, rate, seconds * 1000);
      const lost = sent - latencies.length;
      if (lost > 0) console.log(`  ${lost} not heard of as done, which are`, await running.missing?.());
      row[`p50@${rate}`] = quantile(latencies, 0.5).toFixed(1);
      row[`p99@${rate}`] = quantile(latencies, 0.99).toFixed(1) + (lost > 0 ? ` (${lost} not done)` : "");
    }
    row["server MiB"] = residentMiB(running.pids[0] ?? 0);
    return row;
  } finally {
    await running.stop();
    await redis.stop();
  }
}

const nodeArgs = options.profile ? ["--cpu-prof", `--cpu-prof-dir=${options.profile}`] : [];
const subjects = (agents: number): Subject[] =>
  [parallaxSubject({ nodeArgs }), agents > 1 ? bullSubject("flow") : bullSubject("job")].filter(({ name }) =>
    name.startsWith(options.only),
  );

for (const agents of list(options.agents)) {
  const rows: Record<string, Row> = {};
  for (const subject of subjects(agents)) rows[subject.name] = await measure(subject, agents);
  console.log(
    `\n${agents} ${agents > 1 ? "agents" : "agent"} each; ${options.window} under way at most; ms from submission to end`,
  );
  console.table(rows);
}
process.exit(0);
