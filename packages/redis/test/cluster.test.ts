import { type ClusterFixture, describeBackend, eventually, startCluster } from "@parallax/testing";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisConnections } from "../src/connection.ts";
import { createConnections, openConnections } from "../src/connections.ts";
import { createKeySpace } from "../src/key-space.ts";
import { defineScript } from "../src/script.ts";
import { slotOf } from "../src/slot.ts";
import { describeConnections } from "./support/conformance.ts";
import { createWorkload } from "./support/workload.ts";

const keySpace = createKeySpace({ cluster: true });
const everywhere = Array.from({ length: keySpace.partitions }, (_, partition) =>
  keySpace.partitioned(partition, "count"),
);
const write = defineScript({ name: "test.write", lua: "return redis.call('INCR', KEYS[1])" });
const both = defineScript({
  name: "test.both",
  lua: "redis.call('INCR', KEYS[1]) return redis.call('INCR', KEYS[2])",
});

describeBackend("redis-cluster", "Redis", () => {
  let cluster: ClusterFixture;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  const open = (): RedisConnections => createConnections(cluster.where);
  describeConnections(open);

  it("puts keys into the slots that the servers say", async () => {
    const keys = [
      ...everywhere,
      keySpace.leader,
      keySpace.coordination("ha:members"),
      "a{}b",
      "{a}{b}",
      "ключ{тег}",
    ];
    for (const key of keys) expect(await cluster.nodes[0]?.send("CLUSTER", "KEYSLOT", key)).toBe(slotOf(key));
  });

  it("spreads the partitions over the primaries", async () => {
    const owners = await Promise.all(everywhere.map((key) => cluster.primaryOf(key)));
    const counts = cluster.nodes.map((node) => owners.filter((owner) => owner === node).length);
    expect(counts.filter((count) => count > 0).sort()).toEqual([5, 5, 6]);
  });

  it("is found although all nodes that were named are replicas by now", async () => {
    const replicas = await Promise.all(
      [100, 8000, 16_000].map(async (slot) => cluster.replicasOf(await cluster.primaryOf(slot))),
    );
    const nodes = replicas.flat().map(({ port }) => `127.0.0.1:${port}`);
    expect(nodes).toHaveLength(3);
    await using connections = createConnections({ cluster: { nodes } });
    for (const key of everywhere) expect((await connections.data.run(write, [key], [])).reply).toBe(1);
  });

  it("a user's own client is left alone", async () => {
    const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
    const user = new Cluster(nodes, {
      lazyConnect: true,
      scaleReads: "slave",
      keyPrefix: "user:",
      redisOptions: { commandTimeout: 1, keyPrefix: "user:" },
    });
    await using own = openConnections(user);
    const key = keySpace.partitioned(5, "plain");
    // Longer than the user's time-out.
    const slow = defineScript({ name: "test.slow", lua: `for step = 1, 2000000 do end ${write.lua}` });
    expect([own.mode, (await own.data.run(slow, [key], [])).reply]).toEqual(["cluster", 1]);
    expect(await (await cluster.primaryOf(key)).send("EXISTS", key)).toBe(1);
    expect(user.status).toBe("wait");
  });

  it("replicas are waited for on the node that ran the script", async () => {
    await using connections = open();
    for (const key of everywhere) {
      const unseen = defineScript({ name: "test.unseen", lua: `${write.lua} -- ${key}` });
      expect((await connections.data.run(unseen, [key], [], { replicas: 1 })).replicas).toBe(1);
    }
  });

  it("a subscriber comes back on another node when its own dies, and again when it is recycled", async () => {
    // Chance would have it that the same node is chosen again and again.
    await using connections = createConnections(cluster.where, { random: { next: () => 0 } });
    let ready = 0;
    let heard = 0;
    connections.subscriber.listen(
      ["news"],
      () => {
        heard += 1;
      },
      () => {
        ready += 1;
      },
    );
    await eventually(() => ready === 1);
    const subscribed = async (): Promise<number[]> => {
      const lists = await Promise.all(
        cluster.nodes.map(async (node) => String(await node.send("CLIENT", "LIST", "TYPE", "pubsub"))),
      );
      return lists.flatMap((list, index) => (list.includes("parallax:subscriber") ? [index] : []));
    };
    const [first = -1] = await subscribed();
    connections.subscriber.recycle("it looks dead");
    await eventually(() => ready === 2);
    const [second = -1] = await eventually(async () => {
      const found = await subscribed();
      return found.length === 1 && found;
    });
    expect([first >= 0, second >= 0, first !== second]).toEqual([true, true, true]);
    await cluster.nodes[second]?.send("CLIENT", "KILL", "TYPE", "pubsub");
    await eventually(() => ready === 3);
    await connections.data.command("PUBLISH", ["news", "back"]);
    await eventually(() => heard === 1);
  });

  describe("a slot that moves", () => {
    it("to a node that was added just now: no caller sees it", async () => {
      await using connections = open();
      const [a, b] = ["{moving}a", "{moving}b"];
      await connections.data.run(both, [a, b], []);
      const workload = createWorkload(connections, [a]);
      await workload.settled();
      const added = await cluster.addPrimary();
      const move = await cluster.beginMove(a, added);
      await move.moveKeys([a]);
      await workload.goesOn();
      await move.moveKeys();
      await move.finish();
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
      expect(await cluster.primaryOf(a)).toBe(added);
      expect(Number(await added.send("GET", a))).toBeGreaterThan(6);
    });

    it("with half of a script's keys on either side: the script waits until they are together again", async () => {
      await using connections = open();
      const keys = ["{torn}a", "{torn}b"] as const;
      expect((await connections.data.run(both, keys, [])).reply).toBe(1);
      const from = await cluster.primaryOf(keys[0]);
      const to = await cluster.primaryOf(slotOf(keys[0]) < 8192 ? 16_000 : 100);
      expect(to).not.toBe(from);
      const move = await cluster.beginMove(keys[0], to);
      await move.moveKeys([keys[0]]);
      const torn = connections.data.run(both, keys, [], { deadlineMs: 300 });
      await expect(torn).rejects.toMatchObject({
        code: "redis_unavailable",
        message: expect.stringMatching(/nothing was done/),
      });
      const waiting = connections.data.run(both, keys, [], { deadlineMs: 10_000, replicas: 1 });
      await move.moveKeys();
      await move.finish();
      expect(await waiting).toMatchObject({ reply: 2, replicas: 1 });
    });
  });

  describe("a fail-over", () => {
    it("by hand-over: no write fails for another reason than those that callers know", async () => {
      await using connections = open();
      const workload = createWorkload(connections, everywhere);
      await workload.settled();
      await cluster.failover(everywhere[0] ?? "");
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
    });

    it("does not repeat what was on its way to the primary that died: its outcome is unknown", async () => {
      await using connections = open();
      const key = everywhere[0] ?? "";
      await connections.data.run(write, [key], []);
      const dying = await cluster.primaryOf(key);
      dying.pause();
      const call = connections.data.run(write, [key], [], { deadlineMs: 20_000 });
      const settled = expect(call).rejects.toMatchObject({ code: "timeout" });
      await cluster.failover(key, { kill: true });
      await settled;
    });

    it("by the death of a primary: the same, and the other shards go on meanwhile", async () => {
      await using connections = open();
      const workload = createWorkload(connections, everywhere);
      await workload.settled();
      await cluster.failover(everywhere[8] ?? "", { kill: true, unaided: true });
      await workload.goesOn();
      await workload.stop();
      expect(workload.unexpected).toEqual([]);
    });
  });
});
