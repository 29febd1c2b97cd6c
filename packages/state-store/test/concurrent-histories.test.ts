import { seededRandom, systemClock } from "@parallax/core";
import { memoryEventLogSpace } from "@parallax/event-bus/memory";
import { createVirtualClock, describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";
import { redisRecordBackend } from "../src/redis.ts";
import { createStateStore } from "../src/state-store.ts";
import {
  type Attempt,
  changeThings,
  expectOnceEach,
  openThings,
  type Remains,
  thingIds,
  thingLayout,
} from "./support/concurrent.ts";
import { disturb } from "./support/disturb.ts";
import { faultyLink } from "./support/faulty.ts";
import { openNodes } from "./support/nodes.ts";
import { eventsOf } from "./support/redis-space.ts";

/** `pnpm histories --runs 200 --seed 1` asks for more. */
const asked = process.env.HISTORY_RUNS;
const firstSeed = Number(process.env.HISTORY_SEED ?? 1);
const nodeNames = ["x", "y", "z"];
const everything = { first: "", end: "\uffff", limit: 9999 };

/** Three nodes change the same few things over links that lose, swallow and delay calls, in virtual time. */
async function runInMemory(seed: number): Promise<{ attempts: Attempt[]; remains: Remains }> {
  const clock = createVirtualClock();
  const random = seededRandom(seed);
  const log = memoryEventLogSpace();
  const space = memoryRecordSpace({ log, clock });
  let attempts: Attempt[] | undefined;
  const work = Promise.all(
    nodeNames.map(async (node) => {
      const link = faultyLink(clock, random, { lost: 0.1, deaf: 0.1, late: 0.1 });
      const backend = memoryRecordBackend(space, { link });
      const store = createStateStore({ backend, clock, random, timeoutMs: 100 });
      const goesOn = (step: number) => step < 60;
      const made = await changeThings({ things: openThings(store), random, node, clock, goesOn });
      await store.close();
      return made;
    }),
  ).then((all) => {
    attempts = all.flat();
  });
  await clock.runUntil(() => attempts !== undefined, 600_000);
  await work;
  // What was on its way when nobody waited for it any more.
  await clock.advance(1000);
  const { index, expiry } = space.shelf(0, thingLayout.collection);
  const stored = await memoryRecordBackend(space).read(0, thingLayout.collection, thingIds);
  const remains = {
    records: stored.filter((record) => record !== undefined),
    members: index.range(everything),
    expiring: expiry.range(everything).map((key) => key.slice(13)),
    events: log.log("thing", 0).entries.map(({ event }) => event),
  };
  return { attempts: attempts ?? [], remains };
}

describeBackend("memory", "concurrent histories over links that lose, swallow and delay", () => {
  it("S1, S2: change things once each, as their nodes were told", { timeout: 600_000 }, async () => {
    let unknown = 0;
    const runs = asked === undefined ? 30 : Number(asked) * 20;
    for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
      const { attempts, remains } = await runInMemory(seed);
      try {
        expectOnceEach(attempts, remains);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      unknown += attempts.filter(({ outcome }) => outcome === "unknown").length;
    }
    expect(unknown, "the faults must hurt").toBeGreaterThan(0);
    // Most changes get their answer in the end; calls are not repeated for long, so that some do not.
    expect(unknown).toBeLessThan(runs * nodeNames.length * 60 * 0.2);
  });
});

describeBackend("redis-standalone", "concurrent histories over connections that break", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });

  const seeds = Array.from({ length: Number(asked ?? 2) }, (_, at) => firstSeed + at);
  it.each(seeds)(
    "S1, S2: change things once each, as their nodes were told (seed %i)",
    { timeout: 60_000 },
    async (seed) => {
      const random = seededRandom(seed);
      const { stores, proxies, direct, keySpace, disconnect, close } = await openNodes(
        redis,
        nodeNames.length,
        random,
      );
      const untilMs = performance.now() + 2500;
      const goesOn = () => performance.now() < untilMs;
      const [faults, ...made] = await Promise.all([
        disturb(proxies, redis, seededRandom(seed + 100_000), untilMs),
        ...stores.map((store, at) =>
          changeThings({
            things: openThings(store),
            random,
            node: nodeNames[at] ?? "",
            clock: systemClock,
            goesOn,
          }),
        ),
      ]);
      await disconnect();
      const texts = async (family: string) => {
        const key = keySpace.partitioned(0, `${family}:${thingLayout.collection}`);
        const reply = await direct.data.command("ZRANGE", [key, 0, -1]);
        return Array.isArray(reply) ? reply.map(String) : [];
      };
      const backend = redisRecordBackend(direct, { keySpace });
      const stored = await backend.read(0, thingLayout.collection, thingIds);
      const remains = {
        records: stored.filter((record) => record !== undefined),
        members: await texts("index"),
        expiring: await texts("expiry"),
        events: await eventsOf(direct, keySpace, "thing"),
      };
      await close();
      expectOnceEach(made.flat(), remains);
      expect(faults).toBeGreaterThan(3);
    },
  );
});
