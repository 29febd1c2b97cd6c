import { createConnections, createKeySpace, type RedisConnections } from "@parallax/redis";
import {
  describeBackend,
  eventually,
  giveLeastRights,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { topicLogConformance } from "../src/conformance.ts";
import { createEventBus } from "../src/event-bus.ts";
import { redisTopicLog } from "../src/redis.ts";
import type { LogBatch } from "../src/store.ts";

let server: RedisFixture;
let client: Redis;
let limited: Redis;
const keySpace = createKeySpace();

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
  limited = new Redis(await giveLeastRights(server, { pattern: "*" }));
});
afterAll(async () => {
  client.disconnect();
  limited.disconnect();
  await server.stop();
});
beforeEach(() => client.flushall());

describeBackend("redis-standalone", "topic log", () => {
  topicLogConformance(
    { describe, it },
    async () => ({
      connect: async () => redisTopicLog(limited, { maxEntries: 1000 }),
      async trim(topic, _, count) {
        await client.xtrim(`parallax:log:${topic}`, "MAXLEN", count);
      },
      async drop() {
        await client.flushall();
      },
    }),
    { partitions: 1, coordinationTopic: "cluster", maxEntries: 1000 },
  );
});

describeBackend("redis-standalone", "what an operator sees", () => {
  it("shows events on the topic's channel as JSON with RFC 3339 times", async () => {
    await using log = redisTopicLog(client);
    const heard: string[] = [];
    const listener = new Redis(server.url);
    await listener.subscribe("parallax:events:execution");
    listener.on("message", (_, payload: string) => heard.push(payload));
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"created","id":"exec_1"}' }]);
    const [message] = await eventually(() => heard.length > 0 && heard);
    listener.disconnect();
    expect(JSON.parse(message ?? "")).toEqual({
      topic: "execution",
      partition: 0,
      epoch: expect.stringMatching(/^[0-9a-z]{20}$/),
      events: [
        {
          sequence: 1,
          tag: "t1",
          previous: "",
          at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
          event: { type: "created", id: "exec_1" },
        },
      ],
    });
  });

  it("keeps the log under two keys and uses no others", async () => {
    await using log = redisTopicLog(client);
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"created"}' }]);
    await log.append("cluster", 0, [{ tag: "t2", json: '{"type":"joined"}' }]);
    expect((await client.keys("*")).sort()).toEqual([
      "parallax:log:cluster",
      "parallax:log:cluster:meta",
      "parallax:log:execution",
      "parallax:log:execution:meta",
    ]);
  });

  it("gives its keys the prefix of the key space", async () => {
    await using log = redisTopicLog(client, { keySpace: createKeySpace({ prefix: "other:" }) });
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"created"}' }]);
    expect((await client.keys("*")).every((key) => key.startsWith("other:"))).toBe(true);
  });
});

describeBackend("redis-standalone", "what others may do", () => {
  it("does not believe what anyone publishes, and says so", async () => {
    const errors: unknown[] = [];
    await using log = redisTopicLog(client, { onError: (error) => errors.push(error) });
    const heard: LogBatch[] = [];
    let ready = false;
    log.listen(
      "execution",
      (batch) => heard.push(batch),
      () => {
        ready = true;
      },
    );
    await eventually(() => ready);
    const lies = ["", "no json", "[]", '{"topic":"execution"}', '{"events":[{"event":{}}]}'];
    for (const lie of lies) await client.publish("parallax:events:execution", lie);
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"created"}' }]);
    await eventually(() => heard.length === 1);
    expect(errors).toHaveLength(lies.length);
    for (const error of errors) expect(error).toMatchObject({ code: "bad_envelope" });
  });

  it("asks the log about a forged event, and delivers nothing of it", async () => {
    const bus = createEventBus({ store: redisTopicLog(client) });
    const seen: unknown[] = [];
    await bus.subscribe("execution", {}, (item) =>
      seen.push(item.type === "event" ? item.event.type : item.reason),
    ).ready;
    await bus.publish("execution", { type: "first" });
    const forged = {
      sequence: 2,
      tag: "x",
      previous: "y",
      at: new Date().toISOString(),
      event: { type: "forged" },
    };
    const epoch = await client.hget("parallax:log:execution:meta", "epoch");
    const envelope = { topic: "execution", partition: 0, epoch, events: [forged] };
    await client.publish("parallax:events:execution", JSON.stringify(envelope));
    await bus.publish("execution", { type: "second" });
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(["first", "second"]);
    await bus.close();
  });

  it("reports entries that it cannot read as trimmed", async () => {
    await using log = redisTopicLog(client);
    const [start] = await log.position("execution");
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"a"}' }]);
    const add = (id: string, ...fields: string[]): unknown =>
      client.xadd("parallax:log:execution", id, ...fields);
    await add("2-0", "by", "hand");
    await add("3-0", "tag", "a b", "previous", "t1", "at", "now", "event", "none");
    await add("4-0", "tag", "t4", "previous", "t1", "at", "1", "event", "no json");
    await add("5-0", "tag", "t5", "previous", "t4", "at", "1", "event", '{"no":"type"}');
    await client.hset("parallax:log:execution:meta", "sequence", "5");
    await log.append("execution", 0, [{ tag: "t6", json: '{"type":"c"}' }]);
    const { entries } = await log.read("execution", 0, start ?? "start", 10);
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 6]);
  });

  it("goes on after SCRIPT FLUSH", async () => {
    await using log = redisTopicLog(client);
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"a"}' }]);
    await client.script("FLUSH");
    await log.append("execution", 0, [{ tag: "t2", json: '{"type":"b"}' }]);
    await client.script("FLUSH");
    expect((await log.read("execution", 0, "start", 10)).entries).toHaveLength(2);
  });

  it("appends although publishing is forbidden: the log is the truth, the message a hint", async () => {
    await client.call("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "+@all", "resetchannels");
    const quiet = new Redis(server.url, { username: "quiet", password: "secret" });
    await using log = redisTopicLog(quiet);
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"a"}' }]);
    expect((await log.read("execution", 0, "start", 10)).entries).toHaveLength(1);
    quiet.disconnect();
  });
});

describeBackend("redis-standalone", "connections", () => {
  let connections: RedisConnections;
  beforeEach(() => {
    connections = createConnections({ url: server.url });
  });
  afterEach(() => connections.close());

  it("that were handed in stay open when the log is closed, and nothing of it stays behind", async () => {
    const log = redisTopicLog(connections, { keySpace });
    const heard: unknown[] = [];
    let ready = false;
    const onReady = (): void => {
      ready = true;
    };
    log.listen("execution", (batch) => heard.push(batch), onReady);
    await eventually(() => ready);
    await log[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    const again = redisTopicLog(connections, { keySpace });
    await again.append("execution", 0, [{ tag: "t1", json: '{"type":"a"}' }]);
    expect((await connections.data.command("PUBSUB", ["CHANNELS"])) ?? []).toEqual([]);
    expect(heard).toEqual([]);
  });

  it("come from a client that stays untouched", async () => {
    const log = redisTopicLog(client);
    await log.append("execution", 0, [{ tag: "t1", json: '{"type":"a"}' }]);
    await log[Symbol.asyncDispose]();
    expect(await client.ping()).toBe("PONG");
  });
});
