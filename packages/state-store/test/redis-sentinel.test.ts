import { createConnections, type RedisConnections } from "@parallax/redis";
import { describeBackend, type SentinelFixture, startSentinel } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordBackendConformance } from "../src/conformance.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";
import { expectExactlyOnce, remainsOf } from "./support/checks.ts";
import { startLoad } from "./support/load.ts";
import { eventsOf, freshKeySpace, redisSpace } from "./support/redis-space.ts";

describeBackend("redis-sentinel", "records", () => {
  let sentinel: SentinelFixture;
  let connections: RedisConnections;

  beforeAll(async () => {
    sentinel = await startSentinel();
    connections = createConnections(sentinel.where);
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
    // A repetition finds its answer without writing, and still waits for replicas that have it.
    const event = { type: "x" };
    const again = { requestId: "same", event, replicas: 2 };
    const first = await load.counters.update("c0", { set: { total: 1 } }, again);
    expect(await load.counters.update("c0", { set: { total: 1 } }, again)).toEqual(first);
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
