import { setTimeout as sleep } from "node:timers/promises";
import { isParallaxError, type Random, seededRandom } from "@parallax/core";
import { createConnections } from "@parallax/redis";
import {
  createFaultProxy,
  describeBackend,
  type FaultProxy,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { Collection } from "../src/collection.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";
import { eventsOf, freshKeySpace } from "./support/redis-space.ts";
import { contradictions, type Operation } from "./support/register-history.ts";

type Register = { readonly value: string };
const schema: z.ZodType<Register> = z.object({ value: z.string() });
const clients = 4;
const runMs = 4000;

/** One operation after the other until the time is up. */
async function operate(
  registers: Collection<Register>,
  name: string,
  random: Random,
  untilMs: number,
): Promise<Operation[]> {
  const history: Operation[] = [];
  let known = 1;
  for (let step = 0; performance.now() < untilMs; step += 1) {
    const beganMs = performance.now();
    const value = `${name}-${step}`;
    const ended = () => ({ beganMs, endedMs: performance.now() });
    const lot = random.next();
    try {
      if (lot < 0.4) {
        const record = await registers.get("r");
        if (!record) continue;
        known = record.version;
        history.push({ type: "read", ...ended(), version: known, value: record.value.value });
        continue;
      }
      const conditions = lot < 0.7 ? { version: known } : {};
      const result = await registers.update(
        "r",
        { set: { value } },
        { ...conditions, event: { type: value } },
      );
      if (!("version" in result)) continue;
      known = result.version;
      const type = result.outcome === "ok" ? "write" : "refused";
      history.push({ type, ...ended(), version: known, value });
    } catch (error) {
      if (!isParallaxError(error)) throw error;
      if (lot >= 0.4 && error.code === "timeout") history.push({ type: "unknown", ...ended(), value });
    }
  }
  return history;
}

/** Breaks one connection after the other, each in another way, and now and then stops the server. */
async function disturb(
  proxies: readonly FaultProxy[],
  redis: RedisFixture,
  random: Random,
  untilMs: number,
): Promise<number> {
  let faults = 0;
  while (performance.now() < untilMs) {
    await sleep(20 + random.next() * 80);
    const proxy = proxies[Math.floor(random.next() * proxies.length)];
    const lot = Math.floor(random.next() * 7);
    if (lot === 0) proxy?.reset();
    if (lot === 1) proxy?.blackhole("to-client");
    if (lot === 2) proxy?.blackhole("to-server");
    if (lot === 3) proxy?.hold();
    if (lot === 4) proxy?.delay(5, 30);
    if (lot === 5) redis.pause();
    if (lot === 6) void proxy?.refuse();
    faults += 1;
    await sleep(random.next() * 150);
    if (lot === 5) redis.resume();
    proxy?.pass();
  }
  return faults;
}

describeBackend("redis-standalone", "one record over connections that break", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });

  it.each([1, 2, 3])("S2: has a linearizable history (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const direct = createConnections({ url: redis.url });
    const keySpace = freshKeySpace(direct);
    const target = { port: redis.port };
    const proxies = await Promise.all(Array.from({ length: clients }, () => createFaultProxy({ target })));
    const connections = proxies.map(({ url }) => createConnections({ url }, { deadlineMs: { data: 120 } }));
    const registers = connections.map((connection) => {
      const backend = redisRecordBackend(connection, { keySpace });
      const store = createStateStore({ backend, timeoutMs: 400, random });
      return store.collection({ name: "register", schema, topic: "register" });
    });
    const created = await createStateStore({ backend: redisRecordBackend(direct, { keySpace }) })
      .collection({ name: "register", schema, topic: "register" })
      .create("r", { value: "first" }, { event: { type: "first" } });
    expect(created.outcome).toBe("created");
    const first: Operation = { type: "write", beganMs: 0, endedMs: 0, version: 1, value: "first" };

    const untilMs = performance.now() + runMs;
    const [faults, ...histories] = await Promise.all([
      disturb(proxies, redis, seededRandom(seed + 100), untilMs),
      ...registers.map((register, at) => operate(register, `c${at}`, random, untilMs)),
    ]);
    const history = [first, ...histories.flat()];
    const types = (await eventsOf(direct, keySpace, "register")).map(({ type }) => type);
    await Promise.all([...connections, direct].map((connection) => connection.close()));
    // A proxy waits for clients that were cut off half-way; the end of the process does not.
    await Promise.race([Promise.all(proxies.map((proxy) => proxy.stop())), sleep(500)]);

    expect(contradictions(history)).toEqual([]);
    expect(new Set(types).size, "an event twice").toBe(types.length);
    const count = (type: string) => history.filter((one) => one.type === type).length;
    expect(faults).toBeGreaterThan(10);
    expect(count("unknown"), "the faults must hurt").toBeGreaterThan(0);
    expect(Math.min(count("read"), count("write"), count("refused"))).toBeGreaterThan(20);
  });
});
