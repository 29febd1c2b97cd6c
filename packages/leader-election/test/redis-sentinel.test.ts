import { createConnections, createKeySpace } from "@parallax/redis";
import { describeBackend, eventually, type SentinelFixture, startSentinel } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leaseStoreConformance } from "../src/conformance.ts";
import { redisLeaseStore } from "../src/redis.ts";
import { startLiveCluster } from "./support/live-cluster.ts";
import { redisBackend } from "./support/redis-backend.ts";

let sentinel: SentinelFixture;

beforeAll(async () => {
  sentinel = await startSentinel();
});
afterAll(() => sentinel.stop());

describeBackend("redis-sentinel", "lease store", () => {
  leaseStoreConformance({ describe, it }, () => redisBackend({ where: sentinel.where }), {
    restart: false,
    events: true,
  });

  it("keeps one leader and rising terms over fail-overs, planned and not", async () => {
    const cluster = startLiveCluster(sentinel.where, 3, { replicas: 1 });
    try {
      await eventually(() => cluster.leaders().length === 1, { timeoutMs: 20_000, message: "a leader" });
      await sentinel.failover();
      await eventually(
        () => cluster.leaders().some(({ election }) => (election.term()?.remaining() ?? 0) > 1500),
        {
          timeoutMs: 30_000,
          message: "a leader after the planned fail-over",
        },
      );
      await sentinel.failover({ kill: true });
      // Whoever leads now, leads on a term that the new primary and its replica have acknowledged.
      await eventually(
        () => cluster.leaders().some(({ election }) => (election.term()?.remaining() ?? 0) > 1500),
        {
          timeoutMs: 30_000,
          message: "a leader after the primary was killed",
        },
      );
      // L2: a promoted replica may never have had a record that its primary had, so none is no first start.
      await using connections = createConnections(sentinel.where);
      await using elsewhere = redisLeaseStore(connections, { keySpace: createKeySpace({ prefix: "new:" }) });
      expect((await elsewhere.read()).storeRemembersMs).toBe(0);
      const tokens = cluster.nodes.flatMap((node) => node.tokens);
      expect(new Set(tokens).size).toBe(tokens.length);
      expect(cluster.overlaps).toBe(0);
    } finally {
      await cluster.stop();
    }
  }, 90_000);
});
