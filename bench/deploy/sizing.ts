// The sizes of nodes that docs/operations/sizing.md promises: one node with the CPU and the memory of each row has its agents and
// is given its executions a second, three tasks each. Redis and whoever asks are outside of the limits, but on the same machine.

import { isMainThread } from "node:worker_threads";
import { startCluster } from "../agents/cluster.ts";
import { check, options, pause, quantile } from "../agents/options.ts";
import { createPoster, type Poster } from "../executions/http.ts";
import { startCrowd } from "./crowd.ts";
import { limitProcess } from "./limits.ts";
import { runPart } from "./part.ts";

interface Row {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly agents: number;
  readonly rate: number;
}

const rows: Readonly<Record<string, Row>> = {
  small: { cpus: 1, memoryMiB: 1024, agents: 100, rate: 10 },
  medium: { cpus: 2, memoryMiB: 2048, agents: 500, rate: 50 },
  large: { cpus: 4, memoryMiB: 4096, agents: 2000, rate: 200 },
  xlarge: { cpus: 8, memoryMiB: 8192, agents: 5000, rate: 500 },
  /** What we mean to hold: the largest row on a Medium node. */
  "xlarge-on-medium": { cpus: 2, memoryMiB: 2048, agents: 5000, rate: 500 },
};
/** Of its memory limit; the rest is for buffers, code and the kernel. */
const heapShare = 0.75;
const threads = 2;
const warmUpSeconds = 5;

const pattern = `
name: work
capabilities: [work]
agents: { min: 3, max: 3 }
timeout: 30s
retries: 2
aggregate: { strategy: majority }
`;

interface Found {
  readonly perSecond: number;
  readonly latencies: readonly number[];
  readonly failed: number;
  /** Whether requests were sent when they should have been. */
  readonly inTime: boolean;
}

/** Offers so many executions a second, whether those before are done or not, and waits for the results of all. */
async function offer(poster: Poster, rate: number, seconds: number): Promise<Found> {
  const latencies: number[] = [];
  let failed = 0;
  async function submit(number: number): Promise<void> {
    const sentMs = performance.now();
    const asked = JSON.stringify({ pattern: "work", input: number });
    const { status, body } = await poster.post("/api/executions?wait=30s", asked);
    if (status >= 300 || JSON.parse(body).status !== "completed") failed += 1;
    else latencies.push(performance.now() - sentMs);
  }
  const pending = new Set<Promise<void>>();
  const startedMs = performance.now();
  const sinceMs = (): number => performance.now() - startedMs;
  for (let number = 0; number < rate * seconds; number += 1) {
    const work: Promise<void> = submit(number)
      .catch(() => {
        failed += 1;
      })
      .finally(() => pending.delete(work));
    pending.add(work);
    const aheadMs = ((number + 1) * 1000) / rate - sinceMs();
    if (aheadMs > 1) await pause(aheadMs);
  }
  const inTime = sinceMs() < seconds * 1050;
  await Promise.all(pending);
  return { perSecond: latencies.length / (sinceMs() / 1000), latencies, failed, inTime };
}

async function measureRow(name: string, row: Row, seconds: number): Promise<string> {
  const cluster = await startCluster({
    nodes: 1,
    config: "log: { level: warn }",
    patterns: { work: pattern },
    nodeArgs: [`--max-old-space-size=${Math.floor(row.memoryMiB * heapShare)}`],
  });
  const limits = limitProcess(row);
  const [node] = cluster.nodes;
  if (!node) throw new Error("there is no node");
  const { pid } = node.process;
  limits.add(pid);
  const part = { url: node.url, minWork: 0, maxWork: 0, slots: 4 };
  const crowd = await startCrowd(new URL(import.meta.url), threads, row.agents, part);
  const poster = createPoster(node.url, Math.max(32, row.rate));
  await offer(poster, row.rate, warmUpSeconds);
  const before = { cpu: limits.cpuSeconds(), ms: performance.now() };
  const { perSecond, latencies, failed, inTime } = await offer(poster, row.rate, seconds);
  const cpu = (limits.cpuSeconds() - before.cpu) / ((performance.now() - before.ms) / 1000);
  const there = [...crowd.spread().values()].reduce((one, other) => one + other, 0);
  const peakMiB = limits.peakMiB(pid);
  console.log(`${name} (${limits.how}; ${inTime ? "offered in time" : "the bench itself fell behind"})`);
  check(`${name}: agents`, there === row.agents && crowd.closes.size === 0, there);
  const shown = `${perSecond.toFixed(1)}, ${failed} failed`;
  check(`${name}: executions a second`, failed === 0 && perSecond >= 0.95 * row.rate, shown);
  check(`${name}: resident memory at most`, peakMiB <= row.memoryMiB, `${peakMiB} MiB`);
  poster.close();
  await crowd.stop();
  await cluster.stop();
  limits.remove();
  const [p50, p99] = [0.5, 0.99].map((q) => `${quantile(latencies, q).toFixed(1)} ms`);
  return `| ${name} | ${there} | ${perSecond.toFixed(0)} | ${p50} | ${p99} | ${cpu.toFixed(2)} | ${peakMiB} MiB |`;
}

async function measure(): Promise<void> {
  const { row, seconds } = options({ row: "", seconds: 20 });
  const wanted = Object.entries(rows).filter(([name]) => row === "" || row.split(",").includes(name));
  const lines: string[] = [];
  for (const [name, one] of wanted) lines.push(await measureRow(name, one, seconds));
  console.log(
    [
      "\n| node | agents | executions/s | p50 | p99 | cores used | memory |",
      "|---|---|---|---|---|---|---|",
      ...lines,
    ].join("\n"),
  );
  process.exit();
}

if (isMainThread) await measure();
else await runPart();
