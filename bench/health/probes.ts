// How fast probes answer while Redis stands still (SIGSTOP) and thousands of agents are connected, and what the node says of
// itself meanwhile and afterwards.

import { startCluster } from "../agents/cluster.ts";
import { check, options, pause, quantile } from "../agents/options.ts";
import { connectRaw } from "../agents/raw-agents.ts";

const { agents, outage, every } = options({
  agents: 5000,
  /** How long Redis stands still, in seconds. */
  outage: 60,
  /** Milliseconds between two rounds of probes. */
  every: 100,
});

const paths = ["/health/live", "/health/ready", "/health"] as const;
const cluster = await startCluster({ nodes: 1, config: "log: { level: error }" });
const [node] = cluster.nodes;
if (!node) throw new Error("there is no node");
const sockets = await connectRaw({ url: node.url, count: agents, greet: true });
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
  const response = await fetch(`${node?.url}${path}`);
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
while ((await fetch(`${node.url}/health/ready`)).status !== 200) await pause(20);
const readyAfterMs = performance.now() - backMs;

for (const path of paths) {
  const p99 = quantile(took[path], 0.99);
  check(`${path} answers with p99 of at most 5 ms`, p99 <= 5, `${p99.toFixed(2)} ms of ${took[path].length}`);
}
check(`no liveness failure in ${outage} s without Redis`, liveFailures === 0, liveFailures);
if (outage > 35)
  check(
    "not ready after 30 s",
    notReadySinceMs !== undefined && notReadySinceMs > 25_000 && notReadySinceMs < 36_000,
    `${((notReadySinceMs ?? Number.NaN) / 1000).toFixed(1)} s`,
  );
check("ready within 2 s of its return", readyAfterMs <= 2000, `${Math.round(readyAfterMs)} ms`);
for (const socket of sockets) socket.terminate();
await cluster.stop();
