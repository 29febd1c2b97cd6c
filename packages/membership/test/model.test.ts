import { createTimeline, describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { MembershipStore, View } from "../src/index.ts";
import { memoryMembershipSpace, memoryMembershipStore } from "../src/memory.ts";
import { storeWith } from "../src/redis.ts";
import { membershipScripts } from "../src/redis-scripts.ts";

let server: RedisFixture;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis({ config: { "enable-debug-command": "yes" } });
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** The scripts on a clock that the test sets. */
const testTimeLua = `
local function now_ms()
  return tonumber(redis.call('GET', 'test:now'))
end
`;
const startMs = 1_700_000_000_000;
const bounds = { deadlineMs: 5000 };
const always = { notBeforeMs: 0, notAfterMs: 2 * startMs };
const limits = { checkIntervalMs: 1000, unhealthyThreshold: 3, removeAfterMs: 1200 };

type Deed = "join" | "beat" | "beat ahead" | "leave" | "drain" | "declare";

type Step =
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: Deed; readonly id: number; readonly life: number }
  | { readonly do: "sweep"; readonly threshold: number }
  | { readonly do: "sweep late" | "lose" | "fail over" };

const who = { id: fc.integer({ min: 0, max: 4 }), life: fc.integer({ min: 0, max: 1 }) };

function deed(...deeds: Deed[]): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constantFrom(...deeds), ...who });
}

function pass(min: number, max: number): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min, max }) });
}

const threshold = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: pass(0, 1100) },
  { weight: 1, arbitrary: pass(-5000, 9000) },
  { weight: 3, arbitrary: deed("join") },
  { weight: 8, arbitrary: deed("beat") },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("sweep" as const), threshold }) },
  { weight: 2, arbitrary: deed("leave", "drain", "declare", "beat ahead") },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("sweep late" as const, "lose" as const, "fail over" as const),
    }),
  },
);

interface Answer {
  readonly said: unknown;
  readonly view: unknown;
  readonly history: unknown;
  readonly ended: readonly boolean[];
}

/** One backend, driven by steps. What it says is written so that two backends can be compared. */
function createDriver(
  store: MembershipStore,
  control: { pass(ms: number): Promise<void>; lose(): Promise<void>; failOver(): Promise<void> },
) {
  const epochs = new Map<string, string>();
  const acknowledged = new Map<string, string>();
  let last: View | undefined;

  /** Epochs are random: the n-th of one backend is the n-th of the other. */
  function plain(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value ?? null), (key, each) => {
      if (key !== "epoch" || each === "") return each;
      if (!epochs.has(each)) epochs.set(each, `epoch ${epochs.size}`);
      return epochs.get(each);
    });
  }

  async function act(next: Step): Promise<unknown> {
    if ("id" in next) return actOf(next);
    switch (next.do) {
      case "pass":
        return control.pass(next.ms);
      case "lose":
        return control.lose();
      case "fail over":
        return control.failOver();
      case "sweep late":
        return store.sweep({ ...limits, believed: { notBeforeMs: 0, notAfterMs: 1 } }, bounds);
      case "sweep":
        return store.sweep({ ...limits, unhealthyThreshold: next.threshold, believed: always }, bounds);
    }
  }

  async function actOf(next: Extract<Step, { readonly id: number }>): Promise<unknown> {
    const nodeId = `node-${next.id}`;
    const incarnation = `inc-${next.id}-${next.life}`;
    const report = { leading: undefined, capacity: { any: next.life }, facts: {} };
    switch (next.do) {
      case "join": {
        const joining = { nodeId, incarnation, address: `a${next.life}`, zone: undefined, report };
        const answer = await store.join(joining, bounds);
        if (answer.outcome === "joined") acknowledged.set(incarnation, answer.view.epoch);
        return answer;
      }
      case "beat":
      case "beat ahead": {
        const ahead = next.do === "beat ahead" ? 2 : 0;
        const known = last && { epoch: last.epoch, version: last.version + ahead };
        const memberEpoch = acknowledged.get(incarnation);
        const answer = await store.beat({ nodeId, incarnation, report, memberEpoch, known }, bounds);
        const epoch = answer.outcome === "ok" ? (answer.view?.epoch ?? known?.epoch) : undefined;
        if (epoch !== undefined) acknowledged.set(incarnation, epoch);
        return answer;
      }
      case "leave":
        return store.leave({ nodeId, incarnation }, bounds);
      case "drain":
        return store.drain(next.life === 0 ? { nodeId } : { nodeId, incarnation }, bounds);
      case "declare":
        return store.declareEnded(incarnation, bounds);
    }
  }

  return async function run(next: Step): Promise<Answer> {
    const said = plain(await act(next));
    last = await store.read(bounds);
    const history = await store.history({ epoch: last.epoch, version: 0 }, bounds);
    const ended: boolean[] = [];
    for (const id of [0, 1, 2, 3, 4]) {
      for (const life of [0, 1]) ended.push(await store.hasEnded(`inc-${id}-${life}`, bounds));
    }
    return { said, view: plain(last), history: plain(history), ended };
  };
}

describeBackend("redis-standalone", "the scripts and the functions", () => {
  it("agree on every answer of random histories", { timeout: 120_000 }, async () => {
    const counts = new Map<string, number>();
    await using _store = storeWith(redis, membershipScripts(testTimeLua), { eventTopic: "cluster" });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 150, size: "max" }), async (steps) => {
        await redis.flushall();
        let nowMs = startMs;
        await redis.set("test:now", nowMs);
        const timeline = createTimeline();
        const space = memoryMembershipSpace({ clock: timeline.clock() });
        space.stepClock(startMs - space.now());
        const model = createDriver(memoryMembershipStore(space), {
          pass: async (ms) => space.stepClock(ms),
          lose: async () => space.lose(),
          failOver: async () => space.rewind(space.table()),
        });
        const real = createDriver(
          storeWith(redis, membershipScripts(testTimeLua), { eventTopic: "cluster" }),
          {
            async pass(ms) {
              nowMs += ms;
              await redis.set("test:now", nowMs);
            },
            async lose() {
              await redis.flushall();
              await redis.set("test:now", nowMs);
            },
            async failOver() {
              await redis.call("DEBUG", "CHANGE-REPL-ID");
            },
          },
        );
        for (const [index, next] of steps.entries()) {
          const expected = await model(next);
          expect(await real(next), `step ${index}: ${JSON.stringify(next)}`).toEqual(expected);
          count(counts, expected);
          if ([...(space.table()?.rows.values() ?? [])].some(({ spared }) => spared)) add(counts, "spared");
        }
      }),
      { numRuns: 100 },
    );
    // The histories are worth comparing only if everything happens in them.
    const happened = ["suspected", "failed", "removed", "joined", "ok", "rejoin", "ended", "spared"];
    for (const name of happened) expect(counts.get(name) ?? 0, name).toBeGreaterThan(10);
  });
});

function count(counts: Map<string, number>, { said }: Answer): void {
  for (const [, name] of JSON.stringify(said).matchAll(/"(?:type|outcome)":"(\w+)"/g)) {
    if (name !== undefined) add(counts, name);
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
