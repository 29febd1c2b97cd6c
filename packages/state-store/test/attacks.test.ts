import { systemClock } from "@parallax/core";
import { createConnections, type RedisConnections } from "@parallax/redis";
import {
  createFaultProxy,
  describeBackend,
  eventually,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import type { Collection } from "../src/collection.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore, type StateStoreOptions } from "../src/state-store.ts";
import { freshKeySpace } from "./support/redis-space.ts";

const schema = z.object({
  status: z.enum(["pending", "running", "completed"]),
  owner: z.string(),
  input: z.string().optional(),
});
type Execution = z.infer<typeof schema>;
const running: Execution = { status: "running", owner: "a" };

function open(
  connections: RedisConnections,
  options: Partial<StateStoreOptions> = {},
  maxTopicEntries = 10_000,
) {
  const store = createStateStore({
    backend: redisRecordBackend(connections, { keySpace: freshKeySpace(connections), maxTopicEntries }),
    timeoutMs: 3000,
    ...options,
  });
  return { store, executions: collection(store) };
}

function collection(store: ReturnType<typeof createStateStore>): Collection<Execution> {
  return store.collection({
    name: "execution",
    schema,
    indexes: ["status", "owner"],
    final: { status: ["completed"] },
    topic: "execution",
  });
}

/** What lies under a key, in an order of its own. */
async function readKey(redis: RedisFixture, key: string): Promise<string> {
  const type = String(await redis.send("TYPE", key));
  const read: Record<string, [string, ...(string | number)[]]> = {
    string: ["GET", key],
    hash: ["HGETALL", key],
    list: ["LRANGE", key, 0, -1],
    zset: ["ZRANGE", key, 0, -1, "WITHSCORES"],
  };
  const [command, ...args] = read[type] ?? ["TYPE", key];
  return `${type}: ${JSON.stringify(await redis.send(command, ...args))}`;
}

describeBackend("redis-standalone", "attacks on the design", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;

  beforeAll(async () => {
    redis = await startRedis();
    connections = createConnections({ url: redis.url });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await redis.stop();
  });
  beforeEach(async () => {
    await redis.send("FLUSHALL");
  });

  it("A6: a finished record is safe from a leader that read it before, and from a command that arrives late", async () => {
    await using proxy = await createFaultProxy({ target: redis });
    const behind = createConnections({ url: proxy.url });
    const keySpace = freshKeySpace(connections);
    const at = (source: RedisConnections) =>
      collection(createStateStore({ backend: redisRecordBackend(source, { keySpace }), timeoutMs: 3000 }));
    const [owner, leader] = [at(connections), at(behind)];
    await owner.create("e", running);
    expect((await leader.get("e"))?.value.status).toBe("running");
    proxy.hold("to-server");
    // Without a version, as careless as can be.
    const adoption = leader.update(
      "e",
      { set: { owner: "b", status: "running" } },
      { event: { type: "adopted" } },
    );
    const deletion = leader.delete("e");
    await owner.update("e", { set: { status: "completed" } }, { event: { type: "completed" } });
    proxy.pass();
    expect(await adoption).toEqual({ outcome: "final", version: 2 });
    expect(await deletion).toEqual({ outcome: "final", version: 2 });
    expect(await owner.get("e")).toMatchObject({ version: 2, value: { status: "completed", owner: "a" } });
    expect((await owner.log("e"))?.map(({ event }) => event.type)).toEqual(["completed"]);
    await behind.close();
  });

  it("A9: Redis does not fill up: admission ends while there is room for leases, and retention makes room", async () => {
    const usedBytes = Number(/used_memory:(\d+)/.exec(String(await redis.send("INFO", "memory")))?.[1]);
    await redis.send("CONFIG", "SET", "maxmemory", usedBytes + 16 * 1024 * 1024);
    // Each look is a fresh one.
    let looks = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + 2000 * looks++ };
    const { store, executions } = open(connections, { clock });
    const done = { ...running, status: "completed", input: "x".repeat(100_000) } as const;
    let created = 0;
    while (await store.admits()) {
      await executions.create(`e${created}`, done);
      created += 1;
      expect(created, "admission must end before Redis refuses").toBeLessThan(200);
    }
    expect(created).toBeGreaterThan(20);
    expect(await redis.send("SET", "parallax:ha:leader", "node", "PX", 1000)).toBe("OK");
    await executions.create("last", running);
    expect((await executions.update("last", { set: { owner: "b" } })).outcome).toBe("ok");

    let more = true;
    while (more) ({ more } = await executions.trim({ index: "status", values: ["completed"], max: 10 }));
    expect(await executions.count({ index: "status", value: "completed" })).toBe(10);
    // UNLINK frees in the background.
    await eventually(() => store.admits(), { message: "room for new records" });
    await redis.send("CONFIG", "SET", "maxmemory", 0);
  });

  it("A10: a record's history is whole and can be resumed, however little of it the topic still has", async () => {
    const { executions } = open(connections, {}, 10);
    await executions.create("mine", running, { event: { type: "created" } });
    for (let at = 0; at < 20; at += 1) {
      const others = Array.from({ length: 50 }, (_, other) =>
        executions.create(`o${at}-${other}`, running, { event: { type: "noise" } }),
      );
      await Promise.all([
        ...others,
        executions.update("mine", { set: { owner: `n${at}` } }, { event: { type: "moved", at } }),
      ]);
    }
    const whole = (await executions.log("mine")) ?? [];
    expect(whole.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 21 }, (_, at) => at + 1));
    expect(whole.slice(1).map(({ event }) => event.at)).toEqual(Array.from({ length: 20 }, (_, at) => at));
    expect(await executions.log("mine", 15)).toEqual(whole.slice(15));
    await executions.delete("mine");
    expect(await executions.log("mine"), "it goes with its record").toBeUndefined();
  });

  it("B10: two nodes that accept one key at once make one record, and both learn which", async () => {
    const keySpace = freshKeySpace(connections);
    const nodes = Array.from({ length: 4 }, () =>
      collection(createStateStore({ backend: redisRecordBackend(connections, { keySpace }) })),
    );
    // The id derives from caller and key, so that both lie in one partition.
    const outcomes = await Promise.all(
      nodes.map((node, at) =>
        node.create("exec_of-key", { ...running, owner: `n${at}` }, { event: { type: "created" } }),
      ),
    );
    const winner = outcomes.findIndex(({ outcome }) => outcome === "created");
    expect(outcomes.filter(({ outcome }) => outcome === "created").length).toBe(1);
    const others = outcomes.filter(({ outcome }) => outcome === "exists");
    expect(others).toEqual(
      others.map(() => ({
        outcome: "exists",
        record: expect.objectContaining({ value: { ...running, owner: `n${winner}` } }),
      })),
    );
    expect((await nodes[0]?.log("exec_of-key"))?.length).toBe(1);
    expect(await nodes[0]?.count()).toBe(1);
  });

  it("B14: whatever lies under any of its keys, a change is applied whole or not at all", async () => {
    const { executions } = open(connections);
    const prefix = executions.keyOf("e").slice(0, -"execution:e".length);
    const event = { type: "changed" };
    const changes = {
      create: () => executions.create("e", running, { event, fence: 5, expiresInMs: 60_000 }),
      update: () =>
        executions.update(
          "e",
          { set: { owner: "b" }, unset: ["input"] },
          { event, fence: 5, expiresInMs: 60_000 },
        ),
      deposit: () => executions.deposit("e", "k", "v", { event }),
      delete: () => executions.delete("e", { event, fence: 5 }),
    };
    const names = [
      "execution:e",
      "execution:e:inbox",
      "execution:e:log",
      "execution:e:deleted",
      "index:execution",
    ];
    const shared = ["expiry:execution", "fence", "log:execution", "log:execution:meta"];
    /** Everything but the topic, which heals itself and tells subscribers of a new epoch, and the fence, which only rises. */
    const everything = async () => {
      const keys = z.array(z.string()).parse(await redis.send("KEYS", `${prefix}*`));
      const texts = keys.filter((key) => !/:log:execution|:fence$/.test(key)).sort();
      return Promise.all(texts.map(async (key) => [key, await readKey(redis, key)]));
    };
    let refused = 0;
    for (const [op, change] of Object.entries(changes)) {
      for (const name of [...names, ...shared]) {
        await redis.send("FLUSHALL");
        if (op !== "create") await executions.create("e", { ...running, input: "x" }, { expiresInMs: 1000 });
        await redis.send("DEL", prefix + name);
        await redis.send("GEOADD", `${prefix}odd`, 0, 0, "odd");
        await redis.send("BITFIELD", `${prefix}text`, "SET", "u8", 0, 33);
        const isText = name === "fence" || name.endsWith(":deleted");
        await redis.send("COPY", isText ? `${prefix}odd` : `${prefix}text`, prefix + name);
        const before = await everything();
        try {
          await change();
        } catch (error) {
          refused += 1;
          expect(error, `${op} with ${name}`).toMatchObject({
            code: expect.stringMatching(/^(wrong_type|redis_reply)$/),
          });
          expect(await everything(), `${op} with ${name}`).toEqual(before);
        }
      }
    }
    expect(refused).toBeGreaterThan(15);
  });
});
