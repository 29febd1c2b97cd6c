import { setTimeout as sleep } from "node:timers/promises";
import { createConnections, type KeySpace, type RedisConnections } from "@parallax/redis";
import {
  describeBackend,
  eventually,
  giveLeastRights,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { membershipStoreConformance } from "../src/conformance.ts";
import { redisMembershipStore } from "../src/redis.ts";
import { allTold, startNodes, stopAll, types } from "./support/live-nodes.ts";
import { freshKeySpace, redisBackend } from "./support/redis-backend.ts";

let redis: RedisFixture;
let connections: RedisConnections;
let keySpace: KeySpace;
const bounds = { deadlineMs: 5000 };

beforeAll(async () => {
  // With DEBUG another replication id can be had without a second server.
  redis = await startRedis({ config: { "enable-debug-command": "yes" } });
  connections = createConnections({ url: redis.url });
});
beforeEach(() => {
  keySpace = freshKeySpace(connections);
});
afterAll(async () => {
  await connections.close();
  await redis.stop();
});

describeBackend("redis-standalone", "the membership store", () => {
  membershipStoreConformance(
    { describe, it },
    async () =>
      redisBackend({
        where: { url: await giveLeastRights(redis, { pattern: "*", also: ["+persist"] }) },
        failOver: () => connections.data.command("DEBUG", ["CHANGE-REPL-ID"]),
      }),
    { failOver: true, events: true },
  );

  it.each(["members", "reports", "beats", "view"])(
    "takes a table whose %s are gone for a lost one",
    async (part) => {
      await using store = redisMembershipStore(connections, { keySpace });
      const report = { leading: undefined, capacity: {}, facts: {} };
      const joining = { nodeId: "node-0", incarnation: "inc", address: "a:1", zone: undefined, report };
      const { view } = await store.join(joining, bounds);
      await connections.data.command("DEL", [keySpace.coordination(`ha:${part}`)]);
      const beating = { ...joining, memberEpoch: view.epoch, known: view };
      expect((await store.beat(beating, bounds)).outcome).toBe("rejoin");
      const after = await store.read(bounds);
      expect(after.epoch).not.toBe(view.epoch);
      expect(after.members).toEqual([]);
      expect((await store.join(joining, bounds)).outcome).toBe("joined");
    },
  );

  it("holds an incarnation for ended that was a member of this epoch and is none, also past its time on record", async () => {
    await using store = redisMembershipStore(connections, { keySpace });
    const report = { leading: undefined, capacity: {}, facts: {} };
    const joining = { nodeId: "node-0", incarnation: "inc", address: "a:1", zone: undefined, report };
    const { view } = await store.join(joining, bounds);
    await store.leave(joining, bounds);
    await connections.data.command("DEL", [keySpace.coordination("ha:ended")]);
    await connections.data.command("DEL", [keySpace.coordination("ha:ended:why")]);
    const beating = { ...joining, known: view };
    expect(await store.beat({ ...beating, memberEpoch: view.epoch }, bounds)).toMatchObject({
      outcome: "ended",
      reason: "removed",
    });
    expect((await store.beat({ ...beating, memberEpoch: "an earlier one" }, bounds)).outcome).toBe("rejoin");
  });

  it("says what is wrong with members that are not ours", async () => {
    await using store = redisMembershipStore(connections, { keySpace });
    const report = { leading: undefined, capacity: {}, facts: {} };
    await store.join(
      { nodeId: "node-0", incarnation: "inc", address: "a:1", zone: undefined, report },
      bounds,
    );
    await connections.data.command("HSET", [keySpace.coordination("ha:reports"), "node-0", "nonsense"]);
    await expect(store.read(bounds)).rejects.toMatchObject({
      code: "redis_reply",
      message: expect.stringContaining("ha:"),
    });
  });
});

describeBackend("redis-standalone", "a cluster", () => {
  it("hears of joins and leaves by hints, long before an interval is over", async () => {
    const interval = { checkIntervalMs: 600_000, timeoutMs: 3000 };
    const [leaver, ...others] = await startNodes(3, { where: { url: redis.url }, keySpace, ...interval });
    await leaver?.stop();
    await allTold(others, "left");
    await stopAll(others);
  });

  it("fails nobody when Redis hangs for several time-outs and comes back", async () => {
    const nodes = await startNodes(3, {
      where: { url: redis.url },
      keySpace,
      checkIntervalMs: 200,
      timeoutMs: 150,
    });
    redis.pause();
    await allTold(nodes, "cut-off");
    await sleep(1500);
    redis.resume();
    await allTold(nodes, "back");
    await sleep(1500);
    expect(types(nodes)).not.toContain("failed");
    expect(types(nodes)).not.toContain("ended");
    await stopAll(nodes);
  });

  it("goes on as the same incarnations when Redis restarts without its data", async () => {
    const nodes = await startNodes(3, {
      where: { url: redis.url },
      keySpace,
      checkIntervalMs: 200,
      timeoutMs: 150,
    });
    const incarnations = nodes.map(({ membership }) => membership.incarnation);
    await redis.restart();
    await allTold(nodes, "reset");
    await eventually(() => nodes.every(({ membership }) => membership.view()?.members.length === 3));
    expect(nodes.map(({ membership }) => membership.incarnation)).toEqual(incarnations);
    expect(types(nodes)).not.toContain("ended");
    await stopAll(nodes);
  });
});
