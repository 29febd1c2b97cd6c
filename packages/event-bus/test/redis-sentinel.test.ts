import { createConnections, createKeySpace, type KeySpace } from "@parallax/redis";
import { describeBackend, eventually, type SentinelFixture, startSentinel } from "@parallax/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { topicLogConformance } from "../src/conformance.ts";
import { redisBackend } from "./support/redis-backend.ts";
import { insist, openRedisBus, type RedisBus, type Witness, witness } from "./support/redis-bus.ts";

const topic = "execution";
let redis: SentinelFixture;
let keySpaces = 0;

/** Names of its own stand for an empty Redis. */
function nextKeySpace(): KeySpace {
  keySpaces += 1;
  return createKeySpace({ prefix: `test${keySpaces}:` });
}

beforeAll(async () => {
  redis = await startSentinel();
});
afterAll(() => redis.stop());

describeBackend("redis-sentinel", "topic log", () => {
  topicLogConformance(
    { describe, it },
    async () =>
      redisBackend({
        connect: () => createConnections(redis.where),
        keySpace: nextKeySpace(),
        coordinationTopics: ["cluster"],
        topics: [topic, "cluster"],
        maxEntries: 1000,
      }),
    { partitions: 1, coordinationTopic: "cluster", maxEntries: 1000 },
  );
});

describeBackend("redis-sentinel", "fail-over", () => {
  let publisher: RedisBus;
  let subscriber: RedisBus;
  let seen: Witness;

  beforeEach(async () => {
    const keySpace = nextKeySpace();
    publisher = openRedisBus({ connections: createConnections(redis.where), keySpace });
    subscriber = openRedisBus({ connections: createConnections(redis.where), keySpace });
    seen = await witness(subscriber, topic);
  });
  afterEach(async () => {
    await publisher.bus.close();
    await subscriber.bus.close();
  });

  it("under load leaves nothing unaccounted for", async () => {
    let handingOver = true;
    const failover = redis.failover().finally(() => {
      handingOver = false;
    });
    let index = 0;
    for (; handingOver || index < 500; index += 1) await insist(publisher.bus, topic, index);
    await failover;
    await insist(publisher.bus, topic, index);
    await eventually(() => seen.told().includes(index), { timeoutMs: 30_000 });
    expect(await seen.discrepancies(publisher.log)).toEqual([]);
    await redis.settled();
  }, 120_000);

  it("E4: to a replica that lags is reported, although the log gives the same numbers again", async () => {
    for (let index = 0; index < 10; index += 1) await insist(publisher.bus, topic, index);
    const primary = await redis.primary();
    const replicas = redis.servers.filter((server) => server !== primary);
    await eventually(() => seen.items.length === 10);
    await eventually(
      async () => Number(await primary.send("WAIT", replicas.length, 100)) === replicas.length,
    );

    // From here on the replicas get nothing any more: it will be lost with the primary.
    for (const replica of replicas) replica.pause();
    await primary.send("CLIENT", "KILL", "TYPE", "replica");
    for (let index = 10; index < 15; index += 1) await insist(publisher.bus, topic, index);
    await eventually(() => seen.items.length === 15);
    await primary.kill();
    for (const replica of replicas) replica.resume();
    for (let index = 20; index < 40; index += 1) await insist(publisher.bus, topic, index);
    await eventually(() => seen.told().includes(39), { timeoutMs: 30_000 });

    const told = seen.told();
    expect(told.slice(0, 16)).toEqual([...Array.from({ length: 15 }, (_, index) => index), "rewound"]);
    expect(await seen.discrepancies(publisher.log)).toEqual([]);
    expect(seen.told().filter((each) => each === "rewound")).toHaveLength(1);
  }, 120_000);
});
