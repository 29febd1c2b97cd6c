import { createKeySpace } from "@parallax/redis";
import { type ClusterFixture, describeBackend, eventually, startCluster } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leaseStoreConformance } from "../src/conformance.ts";
import { type LiveCluster, startLiveCluster } from "./support/live-cluster.ts";
import { redisBackend } from "./support/redis-backend.ts";

let redis: ClusterFixture;

beforeAll(async () => {
  redis = await startCluster();
});
afterAll(() => redis.stop());

const leaseKey = createKeySpace({ prefix: "live:", cluster: true }).coordination("ha:lease");

async function untilLed(cluster: LiveCluster, when: string): Promise<void> {
  // More than a renewal ago there was none yet.
  await eventually(
    () => cluster.leaders().some(({ election }) => (election.term()?.remaining() ?? 0) > 1500),
    { timeoutMs: 30_000, message: `a leader ${when}` },
  );
}

describeBackend("redis-cluster", "lease store", () => {
  leaseStoreConformance({ describe, it }, () => redisBackend({ where: redis.where }), {
    restart: false,
    events: true,
  });

  it("keeps one leader and rising terms while its slot moves, and over fail-overs", async () => {
    const cluster = startLiveCluster(redis.where, 3, { replicas: 1 });
    try {
      await untilLed(cluster, "at the start");
      const owner = await redis.primaryOf(leaseKey);
      const other = await redis.primaryOf(0).then(async (first) => {
        return first === owner ? redis.primaryOf(16_383) : first;
      });
      await redis.moveSlot(leaseKey, other);
      await eventually(() => cluster.nodes.some((node) => node.storeChanges.length > 0), {
        timeoutMs: 20_000,
        message: "the leader to hear that the slot is another primary's",
      });
      await untilLed(cluster, "after its slot has moved");
      await redis.failover(leaseKey);
      await untilLed(cluster, "after the planned fail-over");
      const tokens = cluster.nodes.flatMap((node) => node.tokens);
      expect(new Set(tokens).size).toBe(tokens.length);
      expect(cluster.overlaps).toBe(0);
    } finally {
      await cluster.stop();
    }
  }, 90_000);

  it("survives the death of the primary that has the lease", async () => {
    const cluster = startLiveCluster(redis.where, 3);
    try {
      await untilLed(cluster, "at the start");
      await redis.failover(leaseKey, { kill: true });
      await untilLed(cluster, "after the primary was killed");
      expect(cluster.overlaps).toBe(0);
    } finally {
      await cluster.stop();
    }
  }, 90_000);
});
