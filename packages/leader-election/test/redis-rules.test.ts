import { createConnections, createKeySpace } from "@parallax/redis";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LeaseReading, LeaseRecord, LeaseStore } from "../src/index.ts";
import {
  acquireLease,
  challengeLease,
  deposeLease,
  leaseHolder,
  markLoss,
  releaseLease,
  renewLease,
} from "../src/lease.ts";
import { redisLeaseStore } from "../src/redis.ts";

let redis: RedisFixture;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const bounds = { deadlineMs: 2000, replicas: 0 };
const holder = fc.constantFrom("a", "b", "c").map((nodeId) => ({ nodeId, incarnation: `i-${nodeId}` }));
/** Long enough to be held, or over at once. */
const leaseDurationMs = fc.constantFrom(0, 1, 60_000);
const priority = fc.nat(3);
/** Relative to the record's, so that they hit. */
const offset = fc.constantFrom(0, 0, 0, 1, -1);
const rest = { termsGranted: fc.nat(5), priority, leaseDurationMs };

const operation = fc.oneof(
  fc.record({
    call: fc.constant("acquire" as const),
    holder,
    basis: fc.constantFrom("tombstone" as const, "expired" as const, "vacant" as const, "waited" as const),
    term: offset,
    renewal: offset,
    sameLineage: fc.constantFrom(true, true, true, false),
    aboveTerm: fc.constantFrom(0, 2_000_000_000_000_000),
    ...rest,
  }),
  fc.record({
    call: fc.constant("renew" as const),
    holder,
    term: offset,
    reassert: fc.boolean(),
    heldForMs: fc.nat(1e9),
    heard: fc.record({ renewal: offset, sameLineage: fc.boolean() }),
    ...rest,
  }),
  fc.record({
    call: fc.constant("release" as const),
    holder,
    term: offset,
    reservedFor: fc.constantFrom(undefined, "a", "b"),
    reserveMs: leaseDurationMs,
  }),
  fc.record({ call: fc.constant("depose" as const), holder }),
  fc.record({ call: fc.constant("challenge" as const), holder, priority }),
  fc.record({ call: fc.constant("markLoss" as const), termsGranted: fc.nat(5) }),
  fc.record({ call: fc.constant("lose" as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

const first: Extract<Operation, { call: "acquire" }> = {
  call: "acquire",
  basis: "vacant",
  holder: { nodeId: "a", incarnation: "i-a" },
  leaseDurationMs: 0,
  sameLineage: true,
  ...{ term: 0, renewal: 0, aboveTerm: 0, termsGranted: 0, priority: 0 },
};
/** A lease that has run out is seldom met by one who expects that very one, so it is met each time. */
const runOut: Operation[] = [first, { ...first, basis: "expired" }];

const seen: Record<string, number> = {};

/** Applies one operation to Redis and to the rules, at the time that Redis says, and compares what comes out. */
async function compare(store: LeaseStore, lose: () => Promise<unknown>, step: Operation): Promise<void> {
  const before = await store.read();
  const { record } = before;
  const expectSame = (after: LeaseReading, ruled: LeaseRecord | undefined, outcome: string): void => {
    expect(after.record).toEqual(ruled ?? record);
    const key = `${step.call} ${outcome}`;
    seen[key] = (seen[key] ?? 0) + 1;
  };
  const at = (after: LeaseReading): LeaseReading => ({ ...after, record });
  switch (step.call) {
    case "acquire": {
      const { holder: who, sameLineage, term, renewal, call: _, ...request } = step;
      const expected = record && { term: record.term + term, renewal: record.renewal + renewal };
      const lineage = sameLineage ? before.lineage : "another";
      const full = { ...who, ...request, expected, lineage };
      const { outcome, reading } = await store.acquire(full, bounds);
      const ruled = acquireLease(at(reading), full);
      expect(outcome).toBe(ruled ? "granted" : "refused");
      return expectSame(reading, ruled, `${step.basis} ${outcome}`);
    }
    case "renew": {
      const { holder: who, term, heard, call: _, ...request } = step;
      const lineage = heard.sameLineage ? before.lineage : "another";
      const seen = { renewal: (record?.renewal ?? 1) + heard.renewal, lineage };
      const full = { ...who, ...request, seen, term: (record?.term ?? 1000) + term };
      const { outcome, reading } = await store.renew(full, bounds);
      const ruled = renewLease(at(reading), full);
      expect(outcome).toBe(ruled ? "renewed" : "lost");
      return expectSame(reading, ruled && { ...ruled, challenger: record?.challenger }, outcome);
    }
    case "release": {
      const { holder: who, term, call: _, ...request } = step;
      const full = { ...who, ...request, term: (record?.term ?? 1000) + term };
      const reading = await store.release(full, bounds);
      const ruled = releaseLease(at(reading), full);
      return expectSame(reading, ruled, ruled ? "released" : "unchanged");
    }
    case "depose": {
      const { deposed, reading } = await store.depose(step.holder, bounds);
      expect(deposed).toEqual(leaseHolder(at(reading)));
      return expectSame(reading, deposeLease(at(reading), step.holder), deposed ? "holder" : "nobody");
    }
    case "challenge": {
      const request = { nodeId: step.holder.nodeId, priority: step.priority };
      await store.challenge(request);
      const reading = await store.read();
      const ruled = challengeLease(at(reading), request);
      return expectSame(reading, ruled, ruled ? "challenged" : "unchanged");
    }
    case "markLoss": {
      const reading = await store.markLoss(step);
      const ruled = markLoss(at(reading), step.termsGranted);
      return expectSame(reading, ruled, ruled ? "marked" : "unchanged");
    }
    case "lose":
      await lose();
  }
}

describeBackend("redis-standalone", "the scripts and the rules", () => {
  it("agree on every outcome and every field of every history", async () => {
    await using connections = createConnections({ url: redis.url });
    const keySpace = createKeySpace();
    await using store = redisLeaseStore(connections, { keySpace });
    // `vacant` needs a server that is older than the shortest leases here; Redis tells its age in whole seconds.
    await eventually(async () => (await store.read()).storeRemembersMs >= 1000);
    // Not FLUSHALL: a server that was told to forget everything is not believed to be vacant any more.
    const lose = () => connections.data.command("DEL", [keySpace.coordination("ha:lease")]);
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 40 }), async (history) => {
        await lose();
        for (const step of history) await compare(store, lose, step);
      }),
      { numRuns: 300, examples: [[runOut]] },
    );
    // The histories were worth something only if each outcome occurred.
    expect(Object.keys(seen).sort()).toEqual([
      "acquire expired granted",
      "acquire expired refused",
      "acquire tombstone granted",
      "acquire tombstone refused",
      "acquire vacant granted",
      "acquire vacant refused",
      "acquire waited granted",
      "acquire waited refused",
      "challenge challenged",
      "challenge unchanged",
      "depose holder",
      "depose nobody",
      "markLoss marked",
      "markLoss unchanged",
      "release released",
      "release unchanged",
      "renew lost",
      "renew renewed",
    ]);
  }, 60_000);
});
