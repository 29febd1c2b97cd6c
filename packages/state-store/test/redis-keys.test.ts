import { createConnections, type RedisConnections } from "@parallax/redis";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import type { Collection, StateStore } from "../src/collection.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";

const schema = z.object({
  status: z.enum(["pending", "running", "completed"]),
  pattern: z.string(),
  startedAt: z.string().optional(),
  nodeId: z.string().optional(),
  tasks: z.array(z.string()).optional(),
});
type Execution = z.infer<typeof schema>;
const pending: Execution = { status: "pending", pattern: "p" };

describeBackend("redis-standalone", "what lies in Redis", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;
  let store: StateStore;
  let executions: Collection<Execution>;

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
    await redis.send("CONFIG", "SET", "maxmemory", "0");
    store = createStateStore({ backend: redisRecordBackend(connections), timeoutMs: 3000 });
    executions = store.collection({
      name: "execution",
      schema,
      indexes: ["status"],
      final: { status: ["completed"] },
      topic: "execution",
    });
  });

  async function texts(...command: [string, ...string[]]): Promise<string[]> {
    const reply = await redis.send(...command);
    return Array.isArray(reply) ? reply.map(String) : [];
  }

  it("S5: is a hash that a person can read, the schema's fields first and in its order", async () => {
    const tasks = ["a", "b"];
    await executions.create("exec_1", {
      nodeId: "n0",
      tasks,
      ...pending,
      startedAt: "2026-11-23T21:13:21.042Z",
    });
    const hash = await texts("HGETALL", "parallax:execution:exec_1");
    expect(hash.slice(0, 10)).toEqual([
      ...["status", "pending", "pattern", "p"],
      ...["startedAt", "2026-11-23T21:13:21.042Z", "nodeId", "n0", "tasks", '["a","b"]'],
    ]);
    const names = hash.filter((_, at) => at % 2 === 0).slice(5);
    expect(names).toEqual(["_v", "_rid", "_updated", "_indexes", "_created"]);
  });

  it("has the keys that the README names, and no others", async () => {
    await executions.create("exec_1", pending, { fence: 3, expiresInMs: 60_000, event: { type: "created" } });
    await executions.deposit("exec_1", "task", "result");
    await executions.create("exec_2", pending);
    await executions.delete("exec_2");
    expect((await texts("KEYS", "*")).sort()).toEqual([
      "parallax:execution:exec_1",
      "parallax:execution:exec_1:inbox",
      "parallax:execution:exec_1:log",
      "parallax:execution:exec_2:deleted",
      "parallax:expiry:execution",
      "parallax:fence",
      "parallax:index:execution",
      "parallax:log:execution",
      "parallax:log:execution:meta",
    ]);
    expect(executions.keyOf("exec_1")).toBe("parallax:execution:exec_1");
    expect(await redis.send("TTL", "parallax:execution:exec_1"), "S4: no TTL on indexed records").toBe(-1);
    expect(await redis.send("PTTL", "parallax:execution:exec_2:deleted")).toBeGreaterThan(0);
    const running = ["(status|pending}", "[status|pending|", "BYLEX", "REV", "LIMIT", "0", "10"];
    expect(await texts("ZRANGE", "parallax:index:execution", ...running)).toEqual([
      expect.stringMatching(/^status\|pending\|\d{13}\|exec_1$/),
    ]);
    const [entry] = await texts("LRANGE", "parallax:execution:exec_1:log", "0", "-1");
    expect(JSON.parse(entry ?? "")).toEqual({
      sequence: 1,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: { type: "created", id: "exec_1", version: 1 },
    });
  });

  it("goes without a trace when everything was collected", async () => {
    const event = { type: "x" };
    for (const id of ["a", "b", "c"]) {
      await executions.create(id, pending, { expiresInMs: 0, event });
      await executions.deposit(id, "task", "result", { event });
      await executions.update(id, { set: { status: "completed", nodeId: "n" } }, { event });
    }
    await executions.collectExpired({});
    const keys = (await texts("KEYS", "*")).sort();
    // S2: what was asked of them a moment ago is remembered for a minute.
    const remembered = ["a", "b", "c"].map((id) => `parallax:execution:${id}:deleted`);
    expect(keys).toEqual([...remembered, "parallax:log:execution", "parallax:log:execution:meta"]);
    for (const key of remembered) expect(await redis.send("PTTL", key)).toBeGreaterThan(50_000);
  });

  it("survives SCRIPT FLUSH", async () => {
    await executions.create("a", pending);
    await redis.send("SCRIPT", "FLUSH");
    expect((await executions.update("a", { set: { status: "running" } })).outcome).toBe("ok");
    expect(await executions.values("status")).toEqual({ running: 1 });
  });

  it("S1: refuses a change that meets a key of another type, and lets the others of its batch through", async () => {
    await redis.send("SET", "parallax:execution:odd", "a string");
    await redis.send("SET", "parallax:execution:log:log", "a string");
    await redis.send("SET", "parallax:execution:box:inbox", "a string");
    await executions.create("log", pending);
    await executions.create("box", pending);
    const event = { type: "x" };
    const results = await Promise.allSettled([
      executions.create("odd", pending),
      executions.update("log", { set: { status: "running" } }, { event }),
      executions.deposit("box", "k", "v", { event }),
      executions.create("good", pending),
    ]);
    const wrong = { status: "rejected", reason: expect.objectContaining({ code: "wrong_type" }) };
    expect(results.slice(0, 3)).toEqual([wrong, wrong, wrong]);
    expect(results[3]?.status).toBe("fulfilled");
    expect((await executions.get("log"))?.value.status).toBe("pending");
    expect(await executions.count()).toBe(3);
  });

  it("S1: writes nothing at all when a key that all changes share is of another type", async () => {
    for (const key of ["parallax:index:execution", "parallax:expiry:execution", "parallax:fence"]) {
      await redis.send("FLUSHALL");
      await redis.send("HSET", key, "a", "hash");
      const create = executions.create("a", pending, { fence: 1, expiresInMs: 5, event: { type: "x" } });
      await expect(create).rejects.toMatchObject({ code: "redis_reply" });
      expect(await texts("KEYS", "*")).toEqual([key]);
    }
  });

  it("waits while the server is a replica, and no caller hears of it", async () => {
    await executions.create("a", pending, { expiresInMs: 0 });
    await redis.send("REPLICAOF", "127.0.0.1", "1");
    const waiting = Promise.all([
      executions.create("b", pending, { event: { type: "created" } }),
      executions.update("a", { set: { status: "running" } }),
      executions.deposit("a", "k", "v"),
      store.raiseFence(4),
      executions.collectExpired({}),
    ]);
    await eventually(async () => String(await redis.send("INFO", "errorstats")).includes("READONLY"));
    await redis.send("REPLICAOF", "NO", "ONE");
    const [created, updated, deposited, raised] = await waiting;
    expect([created.outcome, updated.outcome, raised.outcome]).toEqual(["created", "ok", "ok"]);
    expect(["ok", "missing"]).toContain(deposited.outcome);
    expect((await executions.log("b"))?.length).toBe(1);
  });

  it("S1: writes nothing when Redis is full, and says so", async () => {
    await executions.create("a", pending);
    await redis.send("CONFIG", "SET", "maxmemory", "1");
    const event = { type: "x" };
    const full = { code: "store_full" };
    await expect(executions.create("b", pending)).rejects.toMatchObject(full);
    await expect(executions.create("c", pending, { event, fence: 9 })).rejects.toMatchObject(full);
    await expect(executions.update("a", { set: { status: "running" } }, { event })).rejects.toMatchObject(
      full,
    );
    await expect(executions.deposit("a", "k", "v")).rejects.toMatchObject(full);
    expect(await store.admits()).toBe(false);
    await redis.send("CONFIG", "SET", "maxmemory", "0");
    expect((await texts("KEYS", "*")).sort()).toEqual(["parallax:execution:a", "parallax:index:execution"]);
    expect((await executions.get("a"))?.version).toBe(1);
  });

  it("forgets the entries of records whose keys somebody else took away", async () => {
    await executions.create("a", pending, { expiresInMs: 0 });
    await executions.create("b", pending);
    await executions.update("b", { set: { status: "completed" } });
    await redis.send("DEL", "parallax:execution:a", "parallax:execution:b");
    expect((await executions.list()).records).toEqual([]);
    await executions.collectExpired({});
    expect(await texts("ZRANGE", "parallax:expiry:execution", "0", "-1")).toEqual([]);
    await executions.trim({ index: "status", values: ["completed"], max: 0 });
    expect(await executions.count({ index: "status", value: "completed" })).toBe(0);
  });

  it("S4: forgets all entries of a record whose key somebody deleted by hand, step by step", async () => {
    const ids = Array.from({ length: 250 }, (_, at) => `lost${at}`);
    await Promise.all([...ids, "kept"].map((id) => executions.create(id, pending)));
    const gone = ids.filter((_, at) => at % 2 === 0);
    await redis.send("DEL", ...gone.map((id) => `parallax:execution:${id}`));
    let removed = 0;
    let steps = 0;
    for (let more = true; more; steps += 1) {
      const step = await executions.forgetLost({ limit: 100 });
      removed += step.removed;
      more = step.more;
    }
    expect(steps).toBeGreaterThan(2);
    expect(removed).toBe(2 * gone.length);
    const entries = await texts("ZRANGE", "parallax:index:execution", "0", "-1");
    expect(entries.filter((entry) => gone.some((id) => entry.endsWith(`|${id}`)))).toEqual([]);
    expect(await executions.count()).toBe(251 - gone.length);
    expect((await executions.list({ index: "status", value: "pending", limit: 1000 })).records.length).toBe(
      126,
    );
  });

  it("S7: reads in replies of bounded size", async () => {
    const large = createStateStore({ backend: redisRecordBackend(connections) }).collection({
      name: "large",
      schema: z.object({ text: z.string() }),
    });
    const ids = Array.from({ length: 12 }, (_, at) => `l${at}`);
    await Promise.all(ids.map((id) => large.create(id, { text: id.repeat(400_000) })));
    await redis.send("CONFIG", "RESETSTAT");
    const found = await large.getMany(ids);
    expect(found.map((record) => record?.value.text.length)).toEqual(ids.map((id) => id.length * 400_000));
    const stats = String(await redis.send("INFO", "commandstats"));
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
    expect(calls).toBeGreaterThan(1);
  });

  it("works with an ACL user that may do only what the README says", async () => {
    const commands =
      "+@scripting +@hash +@list +@sortedset +@stream +@string +@keyspace +@pubsub +@connection +time +info +wait";
    const rules = `on >secret ~parallax:* &parallax:* -@all ${commands}`;
    await redis.send("ACL", "SETUSER", "parallax", ...rules.split(" "));
    const url = redis.url.replace("redis://", "redis://parallax:secret@");
    const restricted = createConnections({ url });
    const limited = createStateStore({ backend: redisRecordBackend(restricted), timeoutMs: 3000 });
    const all = limited.collection({ name: "execution", schema, indexes: ["status"], topic: "execution" });
    await all.create("a", pending, { fence: 1, expiresInMs: 0, event: { type: "x" } });
    await all.deposit("a", "k", "v");
    await all.update("a", { set: { status: "running" }, unset: ["nodeId"] }, { expiresInMs: null });
    expect((await all.list({ index: "status", value: "running" })).records.length).toBe(1);
    expect([await all.values("status"), await all.count(), await limited.admits()]).toEqual([
      { running: 1 },
      1,
      true,
    ]);
    await limited.raiseFence(2);
    await all.log("a");
    await all.delete("a");
    await all.collectExpired({});
    await restricted.close();
  });
});
