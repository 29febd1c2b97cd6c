import { describeBackend, eventually, type SentinelFixture, startSentinel } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisConnections } from "../src/connection.ts";
import { createConnections, openConnections } from "../src/connections.ts";
import { defineScript } from "../src/script.ts";
import { describeConnections } from "./support/conformance.ts";
import { createWorkload } from "./support/workload.ts";

const write = defineScript({ name: "test.write", lua: "return redis.call('INCR', KEYS[1])" });

describeBackend("redis-sentinel", "Redis", () => {
  let sentinel: SentinelFixture;
  beforeAll(async () => {
    sentinel = await startSentinel();
  });
  afterAll(() => sentinel.stop());
  const open = (): RedisConnections => createConnections(sentinel.where);
  describeConnections(open);

  it("a user's own client is left alone", async () => {
    const sentinels = sentinel.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));
    const user = new Redis({ sentinels, name: "mymaster", lazyConnect: true, role: "slave" });
    await using own = openConnections(user);
    expect([own.mode, (await own.data.run(write, ["count"], [])).reply]).toEqual(["sentinel", 1]);
    expect(user.status).toBe("wait");
  });

  describe("replicas", () => {
    it("are waited for, also by a script that the server has not seen", async () => {
      await using connections = open();
      const unseen = defineScript({ name: "test.unseen", lua: `${write.lua} -- replicas` });
      expect(await connections.data.run(unseen, ["durable"], [], { replicas: 2 })).toEqual({
        reply: 1,
        replicas: 2,
      });
      expect((await connections.data.run(write, ["durable"], [], { replicas: 1 })).replicas).toBeGreaterThan(
        0,
      );
      for (const server of sentinel.servers)
        expect(Number(await server.send("GET", "durable"))).toBeGreaterThan(0);
    });

    it("share their WAITs, so that a crowd of writes is not held up one by one", async () => {
      await using connections = open();
      const primary = await sentinel.primary();
      await connections.data.run(write, ["warm"], []);
      await primary.send("CONFIG", "RESETSTAT");
      const results = await Promise.all(
        Array.from({ length: 100 }, () => connections.data.run(write, ["many"], [], { replicas: 2 })),
      );
      expect(results.every(({ replicas }) => replicas === 2)).toBe(true);
      const [, calls] =
        /cmdstat_wait:calls=(\d+)/.exec(String(await primary.send("INFO", "commandstats"))) ?? [];
      expect(Number(calls)).toBeLessThanOrEqual(5);
    });

    it("that are away are waited for no longer than asked, and counted as they are", async () => {
      await using connections = open();
      const primary = await sentinel.primary();
      const replicas = sentinel.servers.filter((server) => server !== primary);
      await connections.data.run(write, ["away"], []);
      for (const replica of replicas) replica.pause();
      const startedMs = performance.now();
      const crowd = await Promise.all(
        Array.from({ length: 20 }, () =>
          connections.data.run(write, ["away"], [], { replicas: 1, replicaTimeoutMs: 200 }),
        ),
      );
      expect(crowd.map(({ replicas: count }) => count)).toEqual(crowd.map(() => 0));
      expect(performance.now() - startedMs).toBeLessThan(800);
      for (const replica of replicas) replica.resume();
      await sentinel.settled();
    });
  });

  describe("a fail-over", () => {
    it("by hand-over: no write fails for another reason than those that callers know, and all roles come back", async () => {
      await sentinel.settled();
      await using connections = open();
      const workload = createWorkload(connections, ["handover"]);
      await workload.settled();
      await sentinel.failover();
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
    });

    it("by the death of the primary: the same", async () => {
      await sentinel.settled();
      await using connections = open();
      const workload = createWorkload(connections, ["death"]);
      await workload.settled();
      const killed = await sentinel.primary();
      const promoted = await sentinel.failover({ kill: true });
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
      expect(Number(await promoted.send("GET", "death"))).toBeGreaterThan(0);
      await killed.restart();
      await sentinel.settled();
    });

    it("away from a primary that hangs with its sockets open: connections leave it by its silence", async () => {
      await sentinel.settled();
      await using connections = createConnections(sentinel.where, {
        deadlineMs: { data: 1000, lease: 1000 },
      });
      const workload = createWorkload(connections, ["hang"]);
      await workload.settled();
      const hanging = await sentinel.primary();
      hanging.pause();
      await eventually(async () => (await sentinel.primary()) !== hanging, { timeoutMs: 20_000 });
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
      hanging.resume();
      await sentinel.settled();
    });
  });
});
