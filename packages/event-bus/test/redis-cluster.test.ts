import { createConnections, createKeySpace, eventLogKeys, type KeySpace } from "@parallax/redis";
import { type ClusterFixture, describeBackend, startCluster } from "@parallax/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { topicLogConformance } from "../src/conformance.ts";
import { redisBackend } from "./support/redis-backend.ts";
import { insist, openRedisBus, type RedisBus, type Witness, witness } from "./support/redis-bus.ts";

const topic = "execution";
const partitions = 16;
let redis: ClusterFixture;
let keySpaces = 0;

/** Names of its own stand for an empty Redis. */
function nextKeySpace(): KeySpace {
  keySpaces += 1;
  return createKeySpace({ prefix: `test${keySpaces}:`, cluster: true, partitions });
}

beforeAll(async () => {
  redis = await startCluster();
});
afterAll(() => redis.stop());

describeBackend("redis-cluster", "topic log", () => {
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
    { partitions, coordinationTopic: "cluster", maxEntries: 1000 },
  );
});

describeBackend("redis-cluster", "while the Cluster changes", () => {
  let keySpace: KeySpace;
  let publisher: RedisBus;
  let subscriber: RedisBus;
  let seen: Witness;
  let failures: unknown[];

  beforeEach(async () => {
    keySpace = nextKeySpace();
    failures = [];
    publisher = openRedisBus({ connections: createConnections(redis.where), keySpace });
    subscriber = openRedisBus({ connections: createConnections(redis.where), keySpace });
    seen = await witness(subscriber, topic);
  });
  afterEach(async () => {
    await publisher.bus.close();
    await subscriber.bus.close();
  });

  /** Publishes to all partitions until `change` is done; keeps what callers would get to see of it. */
  async function publishDuring(change: Promise<unknown>): Promise<void> {
    let changing = true;
    const done = change.finally(() => {
      changing = false;
    });
    let index = 0;
    for (; changing || index < 500; index += 1) {
      await publisher.bus
        .publish(topic, { type: "step", index }, { key: `exec_${index}` })
        .catch((error: unknown) => {
          failures.push(error);
        });
    }
    await done;
    for (let key = 0; key < 64; key += 1) await insist(publisher.bus, topic, index + key, `exec_${key}`);
  }

  it("moves slots with their logs, and nobody notices", async () => {
    const slots = Array.from(
      { length: partitions },
      (_, partition) => eventLogKeys(keySpace, topic, partition).log,
    );
    async function reshard(): Promise<void> {
      for (const [index, key] of slots.entries()) {
        const owner = await redis.primaryOf(key);
        const others = redis.nodes.slice(0, 3).filter((node) => node !== owner);
        const target = others[index % others.length];
        if (target) await redis.moveSlot(key, target);
      }
    }
    await publishDuring(reshard());
    expect(await seen.discrepancies(publisher.log)).toEqual([]);
    expect(seen.items.length).toBeGreaterThanOrEqual(500);
    expect(seen.items.filter(({ type }) => type === "gap")).toEqual([]);
    expect(failures).toEqual([]);
  }, 120_000);

  it("fails over, and leaves nothing unaccounted for", async () => {
    const { log: key } = eventLogKeys(keySpace, topic, 0);
    await publishDuring(redis.failover(key, { kill: true }));
    expect(await seen.discrepancies(publisher.log)).toEqual([]);
    // Nobody sees a raw redirection: an outcome is known, unknown, or nothing was sent.
    for (const failure of failures)
      expect(failure).toMatchObject({ code: expect.stringMatching(/^(timeout|redis_unavailable)$/) });
  }, 120_000);
});
