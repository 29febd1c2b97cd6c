import { createConnections, type RedisConnections } from "@parallax/redis";
import {
  createFaultProxy,
  describeBackend,
  eventually,
  type FaultProxy,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../src/event-bus.ts";
import { redisTopicLog } from "../src/redis.ts";

const topic = "execution";
let server: RedisFixture;
let client: Redis;
let publisher: EventBus;
let subscriber: EventBus;
let items: (Delivered | Gap)[];

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
  client.on("error", () => {});
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await client.flushall();
  publisher = createEventBus({ store: redisTopicLog(client) });
  subscriber = createEventBus({ store: redisTopicLog(client), checkIntervalMs: 500 });
  items = [];
  await subscriber.subscribe(topic, {}, (item) => items.push(item)).ready;
});
afterEach(async () => {
  await publisher.close();
  await subscriber.close();
});

const publish = (index: number): Promise<void> => publisher.publish(topic, { type: "step", index });
const told = (): unknown[] =>
  items.map((item) =>
    item.type === "event" ? item.event.index : `${item.reason} ${item.from}-${item.to ?? ""}`,
  );

describeBackend("redis-standalone", "faults", () => {
  it("loses nothing when its subscriber connection is killed again and again under load", async () => {
    const count = 2000;
    for (let index = 0; index < count; index += 1) {
      await publish(index);
      if (index % 250 === 100) await client.call("CLIENT", "KILL", "TYPE", "pubsub");
    }
    await eventually(() => items.length >= count, { timeoutMs: 20_000 });
    expect(told()).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it("reports FLUSHALL under load as a gap and goes on in the next epoch", async () => {
    for (let index = 0; index < 100; index += 1) {
      await publish(index);
      if (index === 49) {
        await eventually(() => items.length === 50);
        await client.flushall();
      }
    }
    await eventually(() => items.length >= 101);
    const steps = (from: number): number[] => Array.from({ length: 50 }, (_, index) => from + index);
    expect(told()).toEqual([...steps(0), "epoch 51-", ...steps(50)]);
  });

  it("reports FLUSHALL although nothing is published", async () => {
    await publish(0);
    await eventually(() => items.length === 1);
    await client.flushall();
    await eventually(() => items.length === 2);
    expect(told()).toEqual([0, "epoch 2-"]);
  });

  it("reports what was trimmed while it was cut off", async () => {
    await publish(0);
    await eventually(() => items.length === 1);
    const cursor = items[0]?.cursor ?? "";
    await subscriber.close();
    for (let index = 1; index <= 10; index += 1) await publish(index);
    await client.xtrim(`parallax:log:${topic}`, "MAXLEN", 3);
    const back = createEventBus({ store: redisTopicLog(client) });
    back.subscribe(topic, { from: { cursor } }, (item) => items.push(item));
    await eventually(() => items.length === 5);
    expect(told()).toEqual([0, "trimmed 2-8", 8, 9, 10]);
    await back.close();
  });

  it("notices a log that was taken back and written anew, by the first event that does not fit", async () => {
    await subscriber.close();
    subscriber = createEventBus({ store: redisTopicLog(client), checkIntervalMs: 60_000 });
    await subscriber.subscribe(topic, {}, (item) => items.push(item)).ready;
    for (const index of [0, 1]) await publish(index);
    const copies = await Promise.all(
      ["", ":meta"].map((name) => client.dumpBuffer(`parallax:log:${topic}${name}`)),
    );
    for (const index of [2, 3]) await publish(index);
    await eventually(() => items.length === 4);
    for (const [index, name] of ["", ":meta"].entries())
      await client.restore(`parallax:log:${topic}${name}`, 0, copies[index] ?? "", "REPLACE");
    for (const index of [12, 13, 14]) await publish(index);
    await eventually(() => told().includes(14));
    expect(told()).toEqual([0, 1, 2, 3, "rewound 1-4", 14]);
  });

  it("goes on after SCRIPT FLUSH", async () => {
    for (let index = 0; index < 10; index += 1) {
      await publish(index);
      await client.script("FLUSH");
    }
    await eventually(() => items.length === 10);
    expect(told()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("waits for a Redis that hangs, and then has lost nothing", async () => {
    await publish(0);
    server.pause();
    const late = publish(1).catch(() => {});
    await eventually(() => !subscriber.stats().live, { timeoutMs: 15_000 });
    server.resume();
    await late;
    await publish(2);
    await eventually(() => told().includes(2), { timeoutMs: 15_000 });
    await eventually(() => subscriber.stats().live);
    const sequences = items.map((item) => (item.type === "event" ? item.sequence : item.reason));
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  }, 40_000);

  it("finds its place again after Redis was restarted empty", async () => {
    await publish(0);
    await eventually(() => items.length === 1);
    await server.restart();
    await eventually(async () => {
      await publish(1);
      return true;
    });
    await eventually(() => told().includes(1));
    expect(told().slice(0, 2)).toEqual([0, "epoch 2-"]);
  });
});

describeBackend("redis-standalone", "E2: a subscriber that looks connected and is not", () => {
  const checkIntervalMs = 1000;
  let proxy: FaultProxy;
  let direct: RedisConnections;
  let proxied: RedisConnections;
  let bus: EventBus;
  let seen: (Delivered | Gap)[];

  beforeEach(async () => {
    proxy = await createFaultProxy({ target: server });
    direct = createConnections({ url: server.url });
    proxied = createConnections({ url: proxy.url });
    // Only the channel goes through the proxy: reads and writes work, as in a half-open connection.
    const connections = {
      ...{ mode: direct.mode, lease: direct.lease, data: direct.data, subscriber: proxied.subscriber },
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
    bus = createEventBus({ store: redisTopicLog(connections), checkIntervalMs });
    seen = [];
    await bus.subscribe(topic, {}, (item) => seen.push(item)).ready;
  });
  afterEach(async () => {
    await bus.close();
    await proxied.close();
    await direct.close();
    await proxy.stop();
  });

  it.each(["blackhole", "hold"] as const)("is found by its position, and opened anew (%s)", async (fault) => {
    await publish(0);
    await eventually(() => seen.length === 1);
    const before = proxy.counts().accepted;
    proxy[fault]();
    await publish(1);
    await eventually(() => seen.length === 2);
    await eventually(() => proxy.counts().accepted > before, { message: "the connection to be made anew" });
    proxy.pass();
    await publish(2);
    await eventually(() => seen.length === 3);
    expect(seen.map((item) => item.type === "event" && item.event.index)).toEqual([0, 1, 2]);
  });
});
