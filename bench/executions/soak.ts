// Executions with three agents each at a steady rate for a long time: what node, agents and Redis hold, how long each takes, and
// for how long the node stood still to collect garbage.
// Fails if the node holds more at the end than when all that it remembers for a while was there. `--rate 500 --minutes 10`

import { startRedis } from "@parallax/testing";
import { numbers, pause, quantile } from "../event-bus/options.ts";
import { parallaxSubject } from "./parallax.ts";
import { residentMiB } from "./usage.ts";

const { rate, minutes, agents } = numbers({ rate: 500, minutes: 10, agents: 3 });
/** What a node remembers longest, the ends of its executions, it forgets after a minute. */
const settledAfterMs = 90_000;
const lookEveryMs = 15_000;

const redis = await startRedis();
const running = await parallaxSubject({ nodeArgs: ["--trace-gc"] }).start(redis.url, agents);
const begun = new Map<string, number>();
const early = new Set<string>();
let latencies: number[] = [];
let done = 0;
let refused = 0;
running.onDone((id) => {
  const startedMs = begun.get(id);
  done += 1;
  if (startedMs === undefined) early.add(id);
  else if (begun.delete(id)) latencies.push(performance.now() - startedMs);
});

async function submit(dueMs: number): Promise<void> {
  const id = await running.submit();
  if (!early.delete(id)) begun.set(id, dueMs);
}

let linesRead = 0;
/** The longest pauses since the last look, of collections of the young generation and of the whole heap. */
function pauses(): Record<string, string> {
  const lines = running.lines?.slice(linesRead) ?? [];
  linesRead += lines.length;
  const longest = (kind: RegExp): string =>
    Math.max(
      0,
      ...lines.map((line) => (kind.test(line) ? Number(/ ([\d.]+) \/ /.exec(line)?.[1]) : 0)),
    ).toFixed(0);
  return { "young GC ms": longest(/Scavenge/), "full GC ms": longest(/Mark-Compact/) };
}

const [serverPid = 0, agentsPid = 0] = running.pids;
const rows: Record<string, number | string>[] = [];
function look(ms: number): void {
  const sorted = latencies.toSorted((one, other) => one - other);
  latencies = [];
  rows.push({
    seconds: Math.round(ms / 1000),
    done,
    "p99 ms": quantile(sorted, 0.99).toFixed(1),
    ...pauses(),
    "node MiB": residentMiB(serverPid),
    "agents MiB": residentMiB(agentsPid),
    "Redis MiB": residentMiB(redis.pid),
  });
  console.log(JSON.stringify(rows.at(-1)));
}

const startedMs = performance.now();
const endMs = minutes * 60_000;
let sent = 0;
let nextLookMs = lookEveryMs;
for (let ms = 0; ms < endMs; ms = performance.now() - startedMs) {
  for (; sent < (ms / 1000) * rate; sent += 1)
    submit(startedMs + (sent / rate) * 1000).catch(() => {
      refused += 1;
    });
  if (ms >= nextLookMs) {
    look(ms);
    nextLookMs += lookEveryMs;
  }
  await pause(2);
}
await pause(2000);
look(performance.now() - startedMs);
if (done + refused < sent) console.log("not heard of as done:", await running.missing?.());
await running.stop();
await redis.stop();

const memory = rows.filter(({ seconds }) => Number(seconds) * 1000 >= settledAfterMs);
const nodeMiB = memory.map((row) => Number(row["node MiB"]));
const half = Math.floor(nodeMiB.length / 2);
const most = (list: readonly number[]): number => Math.max(...list);
const [earlier, later] = [most(nodeMiB.slice(0, half)), most(nodeMiB.slice(half))];
console.log(
  `${done} of ${sent} done at ${rate}/s in ${minutes} min, ${refused} refused; the node held at most ${earlier} MiB in the first half after ${settledAfterMs / 1000} s, ${later} MiB in the second`,
);
const isFlat = half === 0 || later <= earlier * 1.1;
if (!isFlat) console.error("memory is not flat");
process.exit(isFlat && done + refused >= sent ? 0 : 1);
