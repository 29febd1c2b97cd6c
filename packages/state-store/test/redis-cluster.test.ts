import { createConnections, type RedisConnections } from "@parallax/redis";
import {
  type ClusterFixture,
  describeBackend,
  eventually,
  leastRightsConfig,
  leastUser,
  type RedisFixture,
  startCluster,
} from "@parallax/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { recordBackendConformance } from "../src/conformance.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";
import { expectExactlyOnce, remainsOf } from "./support/checks.ts";
import { startLoad } from "./support/load.ts";
import { eventsOf, freshKeySpace, redisSpace } from "./support/redis-space.ts";

const partitions = 16;

describeBackend("redis-cluster", `records in ${partitions} partitions`, () => {
  let cluster: ClusterFixture;
  let connections: RedisConnections;

  beforeAll(async () => {
    cluster = await startCluster({ config: leastRightsConfig({ pattern: "*", cluster: true }) });
    connections = createConnections({ ...cluster.where, ...leastUser });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await cluster.stop();
  });

  recordBackendConformance({ describe, it }, async () => redisSpace(connections), { partitions });

  it("S1, S2: goes through a hand-over of a shard without losing or doubling a change", async () => {
    const keySpace = freshKeySpace(connections);
    const store = createStateStore({
      backend: redisRecordBackend(connections, { keySpace }),
      timeoutMs: 25_000,
    });
    const load = await startLoad(store, { counters: 32, writers: 16 });
    await load.acknowledge(500);
    await cluster.failover(keySpace.partitioned(partitions - 1, "fence"));
    await load.acknowledge(500);
    await load.stop();
    expectExactlyOnce(load, await remainsOf(load, await eventsOf(connections, keySpace, "counter")));
  });

  it("keeps what replicas acknowledged when a primary is killed", async () => {
    const keySpace = freshKeySpace(connections);
    const backend = redisRecordBackend(connections, { keySpace, replicaTimeoutMs: 300 });
    // The shard of the killed primary has no replica left to wait for: what is changed there stays unknown.
    const store = createStateStore({ backend, timeoutMs: 3000 });
    const load = await startLoad(store, { counters: 32, writers: 16, replicas: 1 });
    await load.acknowledge(300);
    await cluster.failover(keySpace.partitioned(0, "fence"), { kill: true });
    await load.acknowledge(20);
    await load.stop();
    expectExactlyOnce(load, await remainsOf(load, await eventsOf(connections, keySpace, "counter")));
  });

  it("S1, S2: goes through live resharding without losing or doubling a change", async () => {
    const keySpace = freshKeySpace(connections);
    const store = createStateStore({
      backend: redisRecordBackend(connections, { keySpace }),
      timeoutMs: 25_000,
    });
    const load = await startLoad(store, { counters: 32, writers: 16 });
    await load.acknowledge(500);
    const target = await cluster.addPrimary();
    const moving = new Set(Array.from({ length: 8 }, (_, at) => keySpace.partitionOf(`c${at}`)));
    for (const partition of moving) {
      const move = await cluster.beginMove(keySpace.partitioned(partition, "fence"), target);
      const before = await refusals(move.from);
      // Half-way: some keys of the partition are here and some there.
      await move.moveKeys([keySpace.partitioned(partition, "index:counter")]);
      await eventually(async () => (await refusals(move.from)) > before, {
        message: "a change to meet the move",
      });
      await move.moveKeys();
      await move.finish();
      await load.acknowledge(50);
    }
    await load.stop();
    expectExactlyOnce(load, await remainsOf(load, await eventsOf(connections, keySpace, "counter")));
  });
});

/** How often a node refused a script whose keys are not all with it. */
async function refusals(node: RedisFixture): Promise<number> {
  const stats = String(await node.send("INFO", "errorstats"));
  const counts = [...stats.matchAll(/errorstat_(?:TRYAGAIN|ASK):count=(\d+)/g)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
