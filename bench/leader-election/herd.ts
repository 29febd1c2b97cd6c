// A hundred candidates and one hand-over: how many of them ask the store for the lease.

import { createElection } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { createConnections } from "@parallax/redis";
import { startRedis } from "@parallax/testing";
import { numbers, pause, quantile, within } from "./measure.ts";

const { candidates, rounds } = numbers({ candidates: 100, rounds: 20 });
const redis = await startRedis();
let attempts = 0;
let grants = 0;

const nodes = Array.from({ length: candidates + 1 }, (_, index) => {
  const connections = createConnections({ url: redis.url });
  const store = redisLeaseStore(connections);
  const counted: typeof store = {
    ...store,
    async acquire(request, bounds) {
      attempts += 1;
      const result = await store.acquire(request, bounds);
      if (result.outcome === "granted") grants += 1;
      return result;
    },
  };
  const election = createElection({ store: counted, nodeId: `n${index}` });
  const stop = new AbortController();
  const running = election.run(
    (term) => new Promise((resolve) => term.signal.addEventListener("abort", () => resolve())),
    { signal: stop.signal },
  );
  return { connections, election, stop, running };
});
const leader = () => nodes.find(({ election }) => election.term());
await within(60_000, leader);
// So that everybody has looked.
await pause(2000);

const tried: number[] = [];
const winners: number[] = [];
const handovers: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  attempts = 0;
  grants = 0;
  const before = leader();
  const startedAt = performance.now();
  await before?.election.stepDown({ cooldownMs: 1000 });
  await within(20_000, () => nodes.find((node) => node !== before && node.election.term()));
  handovers.push(performance.now() - startedAt);
  await pause(1500);
  tried.push(attempts);
  winners.push(grants);
}
for (const { stop } of nodes) stop.abort();
await Promise.all(nodes.map(({ running }) => running));
for (const { connections } of nodes) await connections.close();
await redis.stop();

console.log(`${candidates} candidates beside the leader, ${rounds} hand-overs`);
console.table({
  "attempts for the lease": { median: quantile(tried, 0.5), worst: Math.max(...tried) },
  winners: { median: quantile(winners, 0.5), worst: Math.max(...winners) },
  "step-down until another leads, ms": {
    median: Math.round(quantile(handovers, 0.5)),
    worst: Math.round(Math.max(...handovers)),
  },
});
