import { createConnections, createKeySpace } from "@parallax/redis";
import {
  describeBackend,
  eventually,
  giveLeastRights,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leaseStoreConformance } from "../src/conformance.ts";
import { createElection } from "../src/index.ts";
import { redisLeaseStore } from "../src/redis.ts";
import { redisBackend } from "./support/redis-backend.ts";

let redis: RedisFixture;

beforeAll(async () => {
  redis = await startRedis({ persistent: true });
});
afterAll(() => redis.stop());

describeBackend("redis-standalone", "lease store", () => {
  leaseStoreConformance(
    { describe, it },
    async () =>
      redisBackend({
        where: { url: await giveLeastRights(redis, { pattern: "*" }) },
        // Users are gone with the server.
        restart: () =>
          redis.restart().then(async () => void (await giveLeastRights(redis, { pattern: "*" }))),
      }),
    { restart: true, events: true },
  );

  describe("what operators see", () => {
    const bounds = { deadlineMs: 2000, replicas: 0 };
    const keySpace = createKeySpace({ prefix: "operators:" });

    it("shows the leader's id while there is one, with the lease's TTL, and nothing when nobody leads", async () => {
      await using connections = createConnections({ url: redis.url });
      await using store = redisLeaseStore(connections, { keySpace });
      const command = (name: string, ...args: string[]) => connections.data.command(name, args);
      const { lineage } = await store.read();
      const anna = { nodeId: "anna", incarnation: "i" };
      const rest = { lineage, leaseDurationMs: 5000, aboveTerm: 0, termsGranted: 0, priority: 0 };
      const outcome = await store.acquire({ ...anna, basis: "waited", expected: undefined, ...rest }, bounds);
      expect(await command("GET", "operators:ha:leader")).toBe("anna");
      expect(await command("PTTL", "operators:ha:leader")).toBeGreaterThan(4000);
      expect(await command("PTTL", "operators:ha:lease")).toBe(-1);
      const term = outcome.outcome === "granted" ? outcome.term : 0;
      await store.release({ ...anna, term, reservedFor: undefined, reserveMs: 0 }, bounds);
      expect(await command("GET", "operators:ha:leader")).toBeNull();
      expect(await command("HGET", "operators:ha:lease", "state")).toBe("released");
    });

    it("says what is wrong with a record that is not ours, and changes nothing", async () => {
      await using connections = createConnections({ url: redis.url });
      await using store = redisLeaseStore(connections, { keySpace: createKeySpace({ prefix: "damaged:" }) });
      await connections.data.command("HSET", ["damaged:ha:lease", "term", "soon"]);
      await expect(store.depose({ nodeId: "a", incarnation: "i" }, bounds)).rejects.toMatchObject({
        code: "redis_reply",
        message: expect.stringContaining("damaged:ha:lease"),
      });
      expect(await connections.data.command("HLEN", ["damaged:ha:lease"])).toBe(1);
      await connections.data.command("SET", ["damaged:ha:lease", "x"]);
      await expect(store.read()).rejects.toMatchObject({ code: "redis_reply" });
    });

    it.each([
      ["FLUSHALL", {}],
      ["FLUSHDB", {}],
      ["SWAPDB", {}],
      ["an eviction", { maxmemory: "8mb", "maxmemory-policy": "allkeys-lru" }],
    ])(
      "L2: a server that has seen %s does not take an absent record for a first start",
      async (how, config) => {
        const fresh = await startRedis({ config });
        try {
          await using connections = createConnections({ url: fresh.url });
          await using store = redisLeaseStore(connections, { keySpace });
          await eventually(async () => (await store.read()).storeRemembersMs >= 1000);
          if (how === "an eviction") {
            for (let index = 0; index < 100; index += 1)
              await fresh.send("SET", `filler:${index}`, "x".repeat(100_000));
          } else {
            await fresh.send(how, ...(how === "SWAPDB" ? [0, 1] : []));
          }
          expect((await store.read()).storeRemembersMs).toBe(0);
          const { lineage } = await store.read();
          const request = { nodeId: "anna", incarnation: "i", basis: "vacant" as const, expected: undefined };
          const rest = { lineage, leaseDurationMs: 500, aboveTerm: 0, termsGranted: 0, priority: 0 };
          expect((await store.acquire({ ...request, ...rest }, bounds)).outcome).toBe("refused");
          // What is there is believed as ever: only absence means less.
          await store.acquire({ ...request, ...rest, basis: "waited" }, bounds);
          expect((await store.read()).storeRemembersMs).toBeGreaterThanOrEqual(1000);
        } finally {
          await fresh.stop();
        }
      },
    );

    it("needs no script that Redis still knows", async () => {
      await using connections = createConnections({ url: redis.url });
      await using store = redisLeaseStore(connections, { keySpace });
      await store.read();
      await connections.data.command("SCRIPT", ["FLUSH"]);
      await store.read();
    });
  });

  it("elects, hands over by hint and takes over by expiry, in real time", async () => {
    const keySpace = createKeySpace({ prefix: "real:" });
    const durations = { leaseDurationMs: 900, renewDeadlineMs: 600, retryPeriodMs: 150 };
    const nodes = ["a", "b", "c"].map((nodeId) => {
      const connections = createConnections({ url: redis.url });
      const election = createElection({
        store: redisLeaseStore(connections, { keySpace }),
        nodeId,
        ...durations,
      });
      const stop = new AbortController();
      const running = election.run(
        (term) => new Promise((resolve) => term.signal.addEventListener("abort", () => resolve())),
        { signal: stop.signal },
      );
      return { connections, election, stop, running };
    });
    const leaders = () => nodes.filter(({ election }) => election.term());
    const first = await eventually(() => leaders()[0]);
    await first.election.stepDown();
    const second = await eventually(() => leaders()[0]);
    expect(second).not.toBe(first);
    expect(second.election.term()?.token).toBeGreaterThan(0);
    // A node whose connections are gone is as good as dead.
    await second.connections.close();
    const third = await eventually(() => leaders().find((node) => node !== second));
    expect(third.election.stats().termsGranted).toBe(3);
    for (const { stop } of nodes) stop.abort();
    await Promise.all(nodes.map(({ running }) => running));
    for (const { connections } of nodes) await connections.close();
  });
});
