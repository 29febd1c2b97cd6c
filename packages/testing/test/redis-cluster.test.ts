import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClusterFixture, startCluster } from "../src/redis-cluster.ts";

describe("a Redis Cluster", () => {
  let cluster: ClusterFixture;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  it("spreads the slots over three primaries", async () => {
    const owners = await Promise.all([0, 6000, 16_383].map((slot) => cluster.primaryOf(slot)));
    expect(new Set(owners).size).toBe(3);
  });

  it("moves a slot with its keys, and sends askers the right way in between", async () => {
    const from = await cluster.primaryOf("{move}");
    const to = await cluster.addPrimary();
    for (const key of ["{move}a", "{move}b"]) await from.send("SET", key, key);
    const move = await cluster.beginMove("{move}", to);
    await move.moveKeys(["{move}a"]);
    expect(await from.send("GET", "{move}b")).toBe("{move}b");
    await expect(from.send("GET", "{move}a")).rejects.toThrow(/^ASK/);
    await expect(to.send("GET", "{move}a")).rejects.toThrow(/^MOVED/);
    await move.moveKeys();
    await move.finish();
    expect(await to.send("GET", "{move}b")).toBe("{move}b");
    await expect(from.send("GET", "{move}b")).rejects.toThrow(/^MOVED/);
  });

  it("moves slots one right after the other, and every node knows of each", async () => {
    const primaries = cluster.nodes.slice(0, 3);
    for (const slot of [100, 6100, 12_100, 200, 6200, 12_200]) {
      const from = await cluster.primaryOf(slot);
      const to = primaries.find((node) => node !== from) ?? from;
      await cluster.moveSlot(slot, to);
      const named = await Promise.all(cluster.nodes.map((node) => cluster.primaryOf(slot, node)));
      expect(new Set(named.map(({ port }) => port))).toEqual(new Set([to.port]));
    }
  });

  it("hands a slot's shard over to the replica, and fails over when the primary is killed", async () => {
    const first = await cluster.primaryOf(100);
    const second = await cluster.failover(100);
    expect(second).not.toBe(first);
    const other = await cluster.primaryOf(8000);
    const next = await cluster.failover(8000, { kill: true });
    expect(next).not.toBe(other);
    await cluster.revive(other);
    expect(await cluster.replicasOf(next)).toEqual([other]);
  });
});
