// How fast probes answer while Redis stands still (SIGSTOP) and thousands of agents are connected, and what the node says of
// itself meanwhile and afterwards.

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { startCluster } from "../agents/cluster.ts";
import { check, options, pause, quantile } from "../agents/options.ts";
import { connectRaw } from "../agents/raw-agents.ts";

const paths = ["/health/live", "/health/ready", "/health"] as const;

if (isMainThread) await main();
else await holdAgents(workerData);

/** In a thread of their own: the time that thousands of sockets take here must not count as the node's. */
async function holdAgents({ url, count }: { readonly url: string; readonly count: number }): Promise<void> {
  const sockets = await connectRaw({ url, count, greet: true });
  parentPort?.postMessage("connected");
  parentPort?.once("message", () => {
    for (const socket of sockets) socket.terminate();
    parentPort?.close();
  });
}

async function main(): Promise<void> {
  const { agents, outage, every } = options({
    agents: 5000,
    /** How long Redis stands still, in seconds. */
    outage: 60,
    /** Milliseconds between two rounds of probes. */
    every: 100,
  });
  const cluster = await startCluster({ nodes: 1, config: "log: { level: error }" });
  const [node] = cluster.nodes;
  if (!node) throw new Error("there is no node");
  const { url } = node;
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { url, count: agents } });
  await once(worker, "message");
  console.log(`${agents} agents are connected`);
  await pause(5000);

  const took: Record<(typeof paths)[number], number[]> = {
    "/health/live": [],
    "/health/ready": [],
    "/health": [],
  };
  let liveFailures = 0;
  let notReadySinceMs: number | undefined;

  /** One probe, on a connection that is kept, as a kubelet's is not: this measures the node and not the handshake. */
  async function probe(path: (typeof paths)[number]): Promise<number> {
    const startedMs = performance.now();
    const response = await fetch(`${url}${path}`);
    await response.arrayBuffer();
    took[path].push(performance.now() - startedMs);
    return response.status;
  }

  for (const path of paths) await probe(path);
  for (const path of paths) took[path].length = 0;
  cluster.redis.pause();
  const startedMs = performance.now();
  while (performance.now() - startedMs < outage * 1000) {
    if ((await probe("/health/live")) !== 200) liveFailures += 1;
    if ((await probe("/health/ready")) !== 200) notReadySinceMs ??= performance.now() - startedMs;
    await probe("/health");
    await pause(every);
  }
  cluster.redis.resume();
  const backMs = performance.now();
  while ((await fetch(`${url}/health/ready`)).status !== 200) await pause(20);
  const readyAfterMs = performance.now() - backMs;

  for (const path of paths) {
    const p99 = quantile(took[path], 0.99);
    const median = quantile(took[path], 0.5).toFixed(2);
    const found = `${p99.toFixed(2)} ms, median ${median}, of ${took[path].length}`;
    check(`${path} answers with p99 of at most 5 ms`, p99 <= 5, found);
  }
  check(`no liveness failure in ${outage} s without Redis`, liveFailures === 0, liveFailures);
  if (outage > 35) {
    const since = notReadySinceMs ?? Number.NaN;
    const found = `${(since / 1000).toFixed(1)} s`;
    check("not ready after 30 s", since > 25_000 && since < 36_000, found);
  }
  check("ready within 2 s of its return", readyAfterMs <= 2000, `${Math.round(readyAfterMs)} ms`);
  worker.postMessage("end");
  await once(worker, "exit");
  await cluster.stop();
}
