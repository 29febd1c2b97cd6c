import { isParallaxError, type Random, seededRandom } from "@parallax/core";
import { describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import type { Collection, StateStore } from "../src/collection.ts";
import { disturb } from "./support/disturb.ts";
import { openNodes } from "./support/nodes.ts";
import { contradiction, type Operation, type Seen } from "./support/record-history.ts";
import { eventsOf } from "./support/redis-space.ts";

/** `pnpm histories --runs 200 --seed 1` asks for more. */
const runs = Number(process.env.HISTORY_RUNS ?? 2);
const firstSeed = Number(process.env.HISTORY_SEED ?? 1);
const clients = 4;
const runMs = 3000;
const ids = ["a", "b"];

type Register = { readonly value: string };
const schema: z.ZodType<Register> = z.object({ value: z.string() });
const open = (store: StateStore) => store.collection({ name: "register", schema, topic: "register" });

type Attempt = (
  registers: Collection<Register>,
  id: string,
  value: string,
  known: number,
) => Promise<Operation>;

async function timed(run: () => Promise<Omit<Operation, "beganMs" | "endedMs">>): Promise<Operation> {
  const beganMs = performance.now();
  const operation = await run();
  // The types of an operation are told apart by what `run` made.
  return { ...operation, beganMs, endedMs: performance.now() } as Operation;
}

function seenIn(record: Awaited<ReturnType<Collection<Register>["get"]>>): Seen {
  return record && { version: record.version, value: record.value.value };
}

/** The answer of a change; a time-out is one too. */
async function answerOf<Outcome>(
  change: Promise<Outcome>,
): Promise<Outcome | { readonly outcome: "unknown" }> {
  try {
    return await change;
  } catch (error) {
    if (isParallaxError(error, "timeout")) return { outcome: "unknown" };
    throw error;
  }
}

const read: Attempt = (registers, id) =>
  timed(async () => ({ type: "read", seen: seenIn(await registers.get(id)) }));

const create: Attempt = (registers, id, value) =>
  timed(async () => {
    const answer = await answerOf(registers.create(id, { value }, { event: { type: value } }));
    if (answer.outcome === "created") return { type: "create", value, answer: { outcome: "ok", version: 1 } };
    if (answer.outcome === "exists") {
      return { type: "create", value, answer: { outcome: "exists", seen: seenIn(answer.record) } };
    }
    return { type: "create", value, answer };
  });

const update =
  (conditional: boolean): Attempt =>
  (registers, id, value, known) =>
    timed(async () => {
      const version = conditional ? { version: known } : {};
      const change = registers.update(id, { set: { value } }, { ...version, event: { type: value } });
      return { type: "update", value, expected: version.version, answer: await answerOf(change) };
    });

const remove: Attempt = (registers, id, value, known) =>
  timed(async () => {
    const change = registers.delete(id, { version: known, event: { type: value } });
    return { type: "delete", expected: known, answer: await answerOf(change) };
  });

function attemptOf(lot: number): Attempt {
  if (lot < 0.4) return read;
  if (lot < 0.65) return update(true);
  if (lot < 0.85) return update(false);
  return lot < 0.93 ? create : remove;
}

/** One operation after the other on one record until the time is up. Operations that were not even sent are left out. */
async function operate(
  registers: Collection<Register>,
  id: string,
  name: string,
  random: Random,
  untilMs: number,
): Promise<Operation[]> {
  const history: Operation[] = [];
  let known = 1;
  for (let step = 0; performance.now() < untilMs; step += 1) {
    try {
      const one = await attemptOf(random.next())(registers, id, `${name}-${step}`, known);
      history.push(one);
      if (one.type === "read") known = one.seen?.version ?? known;
      else if ("version" in one.answer) known = one.answer.version;
    } catch (error) {
      if (!isParallaxError(error)) throw error;
    }
  }
  return history;
}

describeBackend("redis-standalone", "single records over connections that break", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });

  const seeds = Array.from({ length: runs }, (_, at) => firstSeed + at);
  it.each(seeds)("S2: have linearizable histories (seed %i)", { timeout: 60_000 }, async (seed) => {
    const random = seededRandom(seed);
    const nodes = await openNodes(redis, clients, random);
    const registers = nodes.stores.map(open);
    const untilMs = performance.now() + runMs;
    const [faults, ...histories] = await Promise.all([
      disturb(nodes.proxies, redis, seededRandom(seed + 100_000), untilMs),
      ...ids.flatMap((id) =>
        registers.map(async (register, at) => ({
          id,
          operations: await operate(register, id, `${id}${at}`, random, untilMs),
        })),
      ),
    ]);
    await nodes.disconnect();
    const types = (await eventsOf(nodes.direct, nodes.keySpace, "register")).map(({ type }) => type);
    await nodes.close();

    for (const id of ids) {
      const history = histories.flatMap((one) => (one.id === id ? one.operations : []));
      expect(contradiction(history)).toBeUndefined();
    }
    expect(new Set(types).size, "an event twice").toBe(types.length);
    const all = histories.flatMap(({ operations }) => operations);
    const count = (outcome: string) =>
      all.filter((one) => one.type !== "read" && one.answer.outcome === outcome).length;
    expect(faults).toBeGreaterThan(3);
    expect(Math.min(count("ok"), count("conflict"), count("exists"))).toBeGreaterThan(0);
  });
});
