// A node with many agents is killed: how long until all of them are back on another one, and how evenly they come.

import { eventually } from "@parallax/testing";
import { startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, quantile } from "./options.ts";

const { agents, bucket } = options({
  agents: 2000,
  /** Attempts to connect are counted in buckets of so many ms. */
  bucket: 100,
});

const cluster = await startCluster({ nodes: 1, spare: 1, config: "log: { level: warn }" });
const [victim] = cluster.nodes;
if (!victim) throw new Error("there is no node");
let killedAtMs = Number.POSITIVE_INFINITY;
const backAfterMs = new Map<number, number>();
const attemptsAtMs: number[] = [];
const fleet = await startFleet({
  count: agents,
  // The second one is not there yet, so that all of them are on the first.
  url: cluster.ports.map((port) => `http://127.0.0.1:${port}`),
  capability: "work",
  slots: 1,
  handler: () => async () => ({ result: null }),
  onAttempt: () => attemptsAtMs.push(performance.now()),
  onEvent(index, { type }) {
    if (type === "connected") backAfterMs.set(index, performance.now() - killedAtMs);
  },
});
await cluster.add();
console.log(`${fleet.connected()} agents on ${victim.id}; it is killed`);
backAfterMs.clear();
attemptsAtMs.length = 0;
killedAtMs = performance.now();
await victim.process.kill();
await eventually(() => backAfterMs.size === agents, {
  timeoutMs: 60_000,
  message: "all agents to be back",
}).catch((error: unknown) => console.log(String(error)));

const waits = [...backAfterMs.values()];
const buckets = new Map<number, number>();
for (const atMs of attemptsAtMs) {
  const key = Math.floor((atMs - killedAtMs) / bucket);
  buckets.set(key, (buckets.get(key) ?? 0) + 1);
}
const most = Math.max(...buckets.values()) / attemptsAtMs.length;
const seconds = (q: number): string => `${(quantile(waits, q) / 1000).toFixed(2)} s`;
console.log(
  `back after p50 ${seconds(0.5)}, p99 ${seconds(0.99)}, the last ${seconds(1)}; ${attemptsAtMs.length} attempts`,
);
check("all are back", waits.length === agents, waits.length);
check("p99 at most 10 s", quantile(waits, 0.99) <= 10_000, seconds(0.99));
check(`at most 4 % of the attempts in any ${bucket} ms`, most <= 0.04, `${(100 * most).toFixed(1)} %`);
await fleet.stop();
await cluster.stop();
process.exit();
