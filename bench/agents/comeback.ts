// A node with many agents is killed: how long until all of them are back on another one, and how evenly they come.

import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { eventually } from "@parallax/testing";
import { startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, quantile } from "./options.ts";

/** What a thread with a part of the agents says; times are in ms since the epoch. */
type Said =
  | { readonly type: "ready" }
  | { readonly type: "attempt" | "connected"; readonly index: number; readonly atMs: number };

const epochMs = (): number => performance.timeOrigin + performance.now();

/** Agents are processes of their own; in one thread they would wait for each other. */
async function runPart(urls: readonly string[], count: number): Promise<void> {
  const say = (said: Said): void => parentPort?.postMessage(said);
  await startFleet({
    count,
    url: urls,
    capability: "work",
    slots: 1,
    handler: () => async () => ({ result: null }),
    onAttempt: () => say({ type: "attempt", index: 0, atMs: epochMs() }),
    onEvent(index, { type }) {
      if (type === "connected") say({ type, index, atMs: epochMs() });
    },
  });
  say({ type: "ready" });
}

async function measure(): Promise<void> {
  const { agents, bucket, threads } = options({
    agents: 2000,
    /** Attempts to connect are counted in buckets of so many ms. */
    bucket: 100,
    threads: 8,
  });
  const cluster = await startCluster({ nodes: 1, spare: 1, config: "log: { level: warn }" });
  const [victim] = cluster.nodes;
  if (!victim) throw new Error("there is no node");
  // The second one is not there yet, so that all of them are on the first.
  const urls = cluster.ports.map((port) => `http://127.0.0.1:${port}`);
  let killedAtMs = Number.POSITIVE_INFINITY;
  const backAfterMs = new Map<string, number>();
  const attemptsAfterMs: number[] = [];
  for (let thread = 0; thread < threads; thread += 1) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { urls, count: agents / threads } });
    let ready = (): void => {};
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    worker.on("message", (said: Said) => {
      if (said.type === "ready") ready();
      else if (said.atMs < killedAtMs) return;
      else if (said.type === "attempt") attemptsAfterMs.push(said.atMs - killedAtMs);
      else backAfterMs.set(`${thread} ${said.index}`, said.atMs - killedAtMs);
    });
    await Promise.race([isReady, once(worker, "error")]);
  }
  await cluster.add();
  console.log(`${agents} agents on ${victim.id}; it is killed`);
  killedAtMs = epochMs();
  await victim.process.kill();
  await eventually(() => backAfterMs.size === agents, {
    timeoutMs: 60_000,
    message: "all agents to be back",
  }).catch((error: unknown) => console.log(String(error)));

  const waits = [...backAfterMs.values()];
  const buckets = new Map<number, number>();
  for (const afterMs of attemptsAfterMs) {
    const key = Math.floor(afterMs / bucket);
    buckets.set(key, (buckets.get(key) ?? 0) + 1);
  }
  const [[at, most] = [0, 0]] = [...buckets].sort(([, a], [, b]) => b - a);
  const part = most / attemptsAfterMs.length;
  const seconds = (q: number): string => `${(quantile(waits, q) / 1000).toFixed(2)} s`;
  console.log(
    `back after p50 ${seconds(0.5)}, p99 ${seconds(0.99)}, the last ${seconds(1)}; ${attemptsAfterMs.length} attempts`,
  );
  check("all are back", waits.length === agents, waits.length);
  check("p99 at most 10 s", quantile(waits, 0.99) <= 10_000, seconds(0.99));
  const shown = `${(100 * part).toFixed(1)} %, ${(at * bucket) / 1000} s after the kill`;
  check(`at most 4 % of the attempts in any ${bucket} ms`, part <= 0.04, shown);
  await cluster.stop();
  process.exit();
}

if (isMainThread) await measure();
else await runPart(workerData.urls, workerData.count);
