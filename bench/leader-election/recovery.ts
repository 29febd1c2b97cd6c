// Redis goes away, forgets or fails over under three nodes at the defaults: for how long is there no leader?

import { createElection, type Election } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { createConnections, createKeySpace, type RedisOptions } from "@parallax/redis";
import { startCluster, startRedis, startSentinel } from "@parallax/testing";
import { numbers, pause, within } from "./measure.ts";

const { lease, away, rounds } = numbers({ lease: 15_000, away: 60_000, rounds: 1 });

interface Outcome {
  readonly "longest gap, s": string;
  readonly "since the store was back, s": string;
  readonly "looks with two leaders": number;
  readonly "tokens that do not rise": number;
}

interface Watched {
  readonly where: RedisOptions;
  /** Does the harm. Resolves once the store is back. */
  harm(): Promise<unknown>;
  stop(): Promise<void>;
  readonly replicas?: number;
}

/** Three nodes, the harm, and what a look every few milliseconds saw. */
async function watch({ where, harm, stop, replicas = 0 }: Watched): Promise<Outcome> {
  const ending = new AbortController();
  const tokens: number[] = [];
  const connections = ["a", "b", "c"].map(() => createConnections(where));
  const running: Promise<void>[] = [];
  const elections = connections.map((own, index): Election => {
    const keySpace = createKeySpace({ cluster: own.mode === "cluster" });
    const store = redisLeaseStore(own, { keySpace });
    const election = createElection({ store, nodeId: `n${index}`, leaseDurationMs: lease, replicas });
    election.subscribe((event) => event.type === "elected" && tokens.push(event.term));
    running.push(
      election.run(
        (term) => new Promise((resolve) => term.signal.addEventListener("abort", () => resolve())),
        {
          signal: ending.signal,
        },
      ),
    );
    return election;
  });
  let longestMs = 0;
  let overlaps = 0;
  let ledAt = 0;
  let recoveredAt = 0;
  let backAt = Number.POSITIVE_INFINITY;
  const look = (): void => {
    const leading = elections.filter((election) => election.term()).length;
    const at = performance.now();
    if (leading > 1) overlaps += 1;
    if (leading === 0) return;
    if (ledAt > 0) longestMs = Math.max(longestMs, at - ledAt);
    if (recoveredAt === 0 && at > backAt) recoveredAt = at;
    ledAt = at;
  };
  await within(5 * lease, () => elections.find((election) => election.term()));
  await pause(lease);
  const timer = setInterval(look, 5);
  await harm();
  backAt = performance.now();
  // Twice a lease is the longest that anything costs.
  await pause(2.5 * lease);
  clearInterval(timer);
  const isLed = elections.some((election) => election.term());
  ending.abort();
  await Promise.all(running);
  for (const own of connections) await own.close();
  await stop();
  return {
    "longest gap, s": isLed ? (longestMs / 1000).toFixed(2) : "no leader again",
    "since the store was back, s": ((recoveredAt - backAt) / 1000).toFixed(2),
    "looks with two leaders": overlaps,
    "tokens that do not rise": tokens.filter((token, index) => token <= (tokens[index - 1] ?? 0)).length,
  };
}

const seconds = (ms: number): string => `${ms / 1000} s`;
const scenarios: Record<string, () => Promise<Watched>> = {
  async [`Redis down for ${seconds(away)}, data kept`]() {
    const redis = await startRedis({ persistent: true });
    const harm = async (): Promise<void> => {
      await redis.kill();
      await pause(away);
      await redis.restart();
    };
    return { where: { url: redis.url }, harm, stop: () => redis.stop() };
  },
  async [`Redis hangs for ${seconds(away)}`]() {
    const redis = await startRedis();
    const harm = async (): Promise<void> => {
      redis.pause();
      await pause(away);
      redis.resume();
    };
    return { where: { url: redis.url }, harm, stop: () => redis.stop() };
  },
  async "FLUSHALL, ten times"() {
    const redis = await startRedis();
    const harm = async (): Promise<void> => {
      for (let time = 0; time < 10; time += 1) {
        await redis.send("FLUSHALL");
        await pause(Math.random() * lease * 0.2);
      }
    };
    return { where: { url: redis.url }, harm, stop: () => redis.stop() };
  },
  async "restart without data"() {
    const redis = await startRedis();
    return {
      where: { url: redis.url },
      harm: () => redis.restart({ keepData: false }),
      stop: () => redis.stop(),
    };
  },
  async "SCRIPT FLUSH, ten times"() {
    const redis = await startRedis();
    const harm = async (): Promise<void> => {
      for (let time = 0; time < 10; time += 1) {
        await redis.send("SCRIPT", "FLUSH");
        await pause(Math.random() * lease * 0.2);
      }
    };
    return { where: { url: redis.url }, harm, stop: () => redis.stop() };
  },
  async "Sentinel, planned fail-over"() {
    const sentinel = await startSentinel();
    return {
      where: sentinel.where,
      harm: () => sentinel.failover(),
      stop: () => sentinel.stop(),
      replicas: 1,
    };
  },
  async "Sentinel, the primary is killed"() {
    const sentinel = await startSentinel();
    const harm = () => sentinel.failover({ kill: true });
    return { where: sentinel.where, harm, stop: () => sentinel.stop(), replicas: 1 };
  },
  async "Cluster, planned fail-over"() {
    const cluster = await startCluster();
    const harm = () => cluster.failover("parallax:ha:leader");
    return { where: cluster.where, harm, stop: () => cluster.stop() };
  },
  async "Cluster, the primary is killed"() {
    // Redis's own time to find out is a part of the gap.
    const cluster = await startCluster({ nodeTimeoutMs: 1000 });
    const harm = () => cluster.failover("parallax:ha:leader", { kill: true, unaided: true });
    return { where: cluster.where, harm, stop: () => cluster.stop() };
  },
};

// They run side by side: most of it is waiting.
const table: Record<string, Outcome> = {};
for (let round = 1; round <= rounds; round += 1) {
  const outcomes = await Promise.all(
    Object.entries(scenarios).map(async ([name, open]) => [name, await watch(await open())] as const),
  );
  for (const [name, outcome] of outcomes) table[rounds === 1 ? name : `${name} (${round})`] = outcome;
}
console.log(`three nodes, lease ${lease} ms`);
console.table(table);
process.exit(0);
