import { createConnections, type RedisConnections } from "@parallax/redis";
import {
  describeBackend,
  leastRightsConfig,
  leastUser,
  type SentinelFixture,
  startSentinel,
} from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordBackendConformance } from "../src/conformance.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";
import { expectExactlyOnce, remainsOf } from "./support/checks.ts";
import { openCounters, startLoad } from "./support/load.ts";
import { eventsOf, freshKeySpace, redisSpace } from "./support/redis-space.ts";

describeBackend("redis-sentinel", "records", () => {
  let sentinel: SentinelFixture;
  let connections: RedisConnections;

  beforeAll(async () => {
    sentinel = await startSentinel({ config: leastRightsConfig({ pattern: "*" }) });
    connections = createConnections({ ...sentinel.where, ...leastUser });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await sentinel.stop();
  });

  recordBackendConformance({ describe, it }, async () => redisSpace(connections), { partitions: 1 });

  it("counts a change as done once replicas have it, and says when they do not", async () => {
    const keySpace = freshKeySpace(connections);
    const backend = redisRecordBackend(connections, { keySpace, replicaTimeoutMs: 300 });
    const store = createStateStore({ backend, timeoutMs: 1500, defaults: { replicas: 2 } });
    const load = await startLoad(store, { counters: 1, writers: 1, replicas: 2 });
    await load.acknowledge(3);
    await load.stop();
    const primary = await sentinel.primary();
    const replicas = sentinel.servers.filter((server) => server !== primary);
    for (const replica of replicas) replica.pause();
    try {
      const update = load.counters.update("c0", { set: { total: 0 } });
      await expect(update).rejects.toMatchObject({ code: "not_replicated", details: { acknowledged: 0 } });
    } finally {
      for (const replica of replicas) replica.resume();
    }
    await sentinel.settled();
  });

  it("S2: waits for replicas also when a repeated change finds its answer", async () => {
    const keySpace = freshKeySpace(connections);
    const open = (source: RedisConnections) => {
      const backend = redisRecordBackend(source, { keySpace, replicaTimeoutMs: 200 });
      return openCounters(createStateStore({ backend, timeoutMs: 800 }));
    };
    const counters = open(connections);
    await counters.create("a", { status: "a", total: 0, last: "" });
    await counters.create("b", { status: "a", total: 0, last: "" });
    const primary = await sentinel.primary();
    const replicas = sentinel.servers.filter((server) => server !== primary);
    for (const replica of replicas) replica.pause();
    // WAIT looks at what its own connection wrote, and this one has written nothing yet.
    const fresh = createConnections(sentinel.where);
    try {
      const patch = { set: { total: 1 } };
      await counters.update("a", patch, { requestId: "same-update" });
      await counters.delete("b", { requestId: "same-delete" });
      await counters.deposit("a", "key", "value");
      const again = open(fresh);
      const late = { code: "not_replicated" };
      await expect(again.update("a", patch, { requestId: "same-update", replicas: 1 })).rejects.toMatchObject(
        late,
      );
      await expect(again.delete("b", { requestId: "same-delete", replicas: 1 })).rejects.toMatchObject(late);
      await expect(again.deposit("a", "key", "value", { replicas: 1 })).rejects.toMatchObject(late);
    } finally {
      for (const replica of replicas) replica.resume();
    }
    await sentinel.settled();
    await fresh.close();
  });

  it("S1, S2: goes through a hand-over without losing or doubling a change", async () => {
    const keySpace = freshKeySpace(connections);
    const store = createStateStore({
      backend: redisRecordBackend(connections, { keySpace }),
      timeoutMs: 25_000,
    });
    // While Sentinel hands over, the old primary and the replica that still follows it could acknowledge a change that both
    // lose a moment later; with every replica asked for, the one that is promoted has it.
    const load = await startLoad(store, { counters: 8, writers: 16, replicas: 2 });
    await load.acknowledge(500);
    await sentinel.failover();
    await load.acknowledge(500);
    await load.stop();
    expectExactlyOnce(load, await remainsOf(load, await eventsOf(connections, keySpace, "counter")));
    await sentinel.settled();
  });

  it("keeps what replicas acknowledged when the primary is killed", async () => {
    const keySpace = freshKeySpace(connections);
    const store = createStateStore({
      backend: redisRecordBackend(connections, { keySpace }),
      timeoutMs: 25_000,
    });
    const load = await startLoad(store, { counters: 8, writers: 16, replicas: 1 });
    await load.acknowledge(300);
    await sentinel.failover({ kill: true });
    await load.acknowledge(300);
    await load.stop();
    expectExactlyOnce(load, await remainsOf(load, await eventsOf(connections, keySpace, "counter")));
  });
});
