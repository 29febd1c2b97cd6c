import { createTimeline, type NodeClock, type Timeline } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import {
  type CandidateState,
  newCandidate,
  nextCandidateStep,
  observe,
  shouldChallenge,
} from "../src/candidate.ts";
import type { LeaseReading, LeaseRecord } from "../src/index.ts";

const rules = {
  nodeId: "me",
  incarnation: "i-me",
  leaseDurationMs: 15_000,
  clockToleranceMs: 1000,
  onMissingRecord: "acquire" as const,
  priority: 0,
};

const held: LeaseRecord = {
  nodeId: "other",
  incarnation: "i-other",
  term: 7,
  renewal: 1,
  heldForMs: 0,
  state: "held",
  expiresAtMs: 15_000,
  leaseDurationMs: 15_000,
  lineage: "L1",
  priority: 0,
  reservedFor: undefined,
  reservedUntilMs: 0,
  termsGranted: 1,
  challenger: undefined,
};

/** A candidate whose store time goes with the true time, plus an offset. */
function candidate(change: Partial<typeof rules> | { onMissingRecord: "wait" } = {}) {
  const timeline: Timeline = createTimeline();
  const clock: NodeClock = timeline.clock();
  let state: CandidateState = newCandidate;
  const all = { ...rules, ...change };
  return {
    timeline,
    clock,
    sees(record: LeaseRecord | undefined, reading: Partial<LeaseReading> = {}, roundTripMs = 1) {
      const storeTimeMs = timeline.nowMs;
      const defaults = { record, storeTimeMs, lineage: "L1", storeRemembersMs: 1e9, storeRunId: "R1" };
      state = observe(state, { ...defaults, ...reading }, roundTripMs, clock, all);
      return nextCandidateStep(state, all, clock);
    },
    step: () => nextCandidateStep(state, all, clock),
    challenges: (forMs: number) => shouldChallenge(state, all, forMs),
  };
}

describe("a candidate (L2)", () => {
  it("looks before it decides", () => {
    expect(candidate().step()).toEqual({ step: "look", afterMs: 0 });
  });

  describe("with no record", () => {
    it("takes it at once if it never saw one and the store is older than a lease", () => {
      expect(candidate().sees(undefined)).toMatchObject({
        step: "take",
        basis: "vacant",
        expected: undefined,
      });
    });

    it("marks the loss if the store is younger than a lease (B2)", () => {
      expect(candidate().sees(undefined, { storeRemembersMs: 15_000 })).toEqual({ step: "mark-loss" });
    });

    it("marks the loss if it ever saw a record", () => {
      const me = candidate();
      me.sees(held);
      expect(me.sees(undefined)).toEqual({ step: "mark-loss" });
    });

    it("marks the loss where `onMissingRecord` is `wait`", () => {
      expect(candidate({ onMissingRecord: "wait" }).sees(undefined)).toEqual({ step: "mark-loss" });
    });
  });

  describe("with the placeholder of a loss", () => {
    const lost: LeaseRecord = {
      ...held,
      term: 0,
      state: "lost",
      lineage: "",
      leaseDurationMs: 0,
      expiresAtMs: 0,
    };

    it("waits a full lease from its first sight", async () => {
      const me = candidate();
      expect(me.sees(lost)).toEqual({ step: "look", afterMs: 15_000 });
      await me.timeline.advance(15_000);
      expect(me.step()).toMatchObject({ step: "take", basis: "waited", expected: { term: 0, renewal: 1 } });
    });

    it("waits anew when it is lost again, or under another lineage", async () => {
      const me = candidate();
      me.sees(lost);
      await me.timeline.advance(14_000);
      expect(me.sees({ ...lost, renewal: 2 })).toEqual({ step: "look", afterMs: 15_000 });
      await me.timeline.advance(14_000);
      const step = me.sees({ ...lost, renewal: 2 }, { lineage: "L2", storeRunId: "R2" });
      expect(step).toEqual({ step: "look", afterMs: 15_000 });
    });
  });

  describe("with a lease that is held", () => {
    it("sleeps until the reported expiry", () => {
      expect(candidate().sees({ ...held, expiresAtMs: 13_000 })).toEqual({ step: "look", afterMs: 13_000 });
    });

    it("never sleeps longer than one lease, whatever the store's clock says", () => {
      const step = candidate().sees({ ...held, expiresAtMs: 3_600_000 });
      expect(step).toEqual({ step: "look", afterMs: 15_000 });
    });

    it("takes over at the expiry if the store's clock went as its own since before the renewal", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(14_000);
      me.sees({ ...held, renewal: 8, expiresAtMs: 27_000 });
      await me.timeline.advance(13_000);
      expect(me.sees({ ...held, renewal: 8, expiresAtMs: 27_000 })).toMatchObject({
        step: "take",
        basis: "expired",
      });
    });

    it("B1: does not believe an expiry of a record that it saw at its first look", async () => {
      const me = candidate();
      me.sees({ ...held, expiresAtMs: 2000 });
      await me.timeline.advance(2000);
      expect(me.sees({ ...held, expiresAtMs: 2000 })).toEqual({ step: "look", afterMs: 13_000 });
    });

    it("B1: does not believe an expiry after the store's clock stepped ahead, before or after its first look", async () => {
      for (const stepBeforeFirstSight of [true, false]) {
        const me = candidate();
        const record = { ...held, renewal: 8, expiresAtMs: 29_000 };
        me.sees(held);
        await me.timeline.advance(14_000);
        me.sees(record, { storeTimeMs: me.timeline.nowMs + (stepBeforeFirstSight ? 60_000 : 0) });
        await me.timeline.advance(10);
        const step = me.sees(record, { storeTimeMs: me.timeline.nowMs + 60_000 });
        expect(step).toEqual({ step: "look", afterMs: 14_990 });
      }
    });

    it("B1: does not believe an expiry that was written while the clock was back, between two looks", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(15_000);
      // Renewed after 12 s, when the store showed 8 s less.
      const record = { ...held, renewal: 7, heldForMs: 12_000, expiresAtMs: 19_000 };
      expect(me.sees(record)).toEqual({ step: "look", afterMs: 4000 });
      await me.timeline.advance(4000);
      expect(me.sees(record)).toEqual({ step: "look", afterMs: 11_000 });
    });

    it("B1: does not believe a clock that is less behind than when the record was written", async () => {
      const me = candidate();
      // Both renewals were written on a clock that was 20 s behind; what the looks see is right at first, then 5 s behind.
      me.sees({ ...held, expiresAtMs: -5000 });
      await me.timeline.advance(14_000);
      const record = { ...held, renewal: 8, heldForMs: 14_000, expiresAtMs: 9000 };
      expect(me.sees(record, { storeTimeMs: 9000 })).toEqual({ step: "look", afterMs: 15_000 });
    });

    it("B1: does not believe the first record of a term that it sees, for it cannot compare", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(14_000);
      const record = { ...held, term: 9, expiresAtMs: 27_000 };
      me.sees(record);
      await me.timeline.advance(13_000);
      expect(me.sees(record)).toEqual({ step: "look", afterMs: 2000 });
    });

    it("B1: does not believe a clock that went back and forth in between", async () => {
      const me = candidate();
      const record = { ...held, renewal: 8, expiresAtMs: 15_000 };
      me.sees(held);
      await me.timeline.advance(1000);
      me.sees(record, { storeTimeMs: -59_000 });
      await me.timeline.advance(14_000);
      expect(me.sees(record, { storeTimeMs: me.timeline.nowMs })).toEqual({ step: "look", afterMs: 1000 });
    });

    it("B1: does not believe a clock that went back and came back between looks that agree", async () => {
      const me = candidate();
      const record = { ...held, renewal: 8, expiresAtMs: 15_000 };
      me.sees(held);
      await me.timeline.advance(1000);
      me.sees(record, { storeTimeMs: -59_000 });
      await me.timeline.advance(1000);
      me.sees(record);
      await me.timeline.advance(13_000);
      expect(me.sees(record)).toEqual({ step: "look", afterMs: 1000 });
    });

    it("T3: does not believe a clock that gains a little at every look", async () => {
      const me = candidate();
      const record = { ...held, renewal: 8, expiresAtMs: 15_000 };
      me.sees(held);
      let storeTimeMs = 0;
      for (let gainedMs = 0; storeTimeMs < 15_000; gainedMs += 950) {
        await me.timeline.advance(2500);
        storeTimeMs = me.timeline.nowMs + gainedMs;
        me.sees(record, { storeTimeMs });
      }
      expect(me.timeline.nowMs).toBeLessThan(13_000);
      expect(me.step()).toMatchObject({ step: "look" });
    });

    it("T3: does not believe a clock that lost time and catches up a little at every look", async () => {
      const me = candidate();
      const record = { ...held, renewal: 8, expiresAtMs: -45_000 };
      me.sees(held);
      let storeTimeMs = -60_000;
      for (let lostMs = 60_000; storeTimeMs < -45_000; lostMs -= 950) {
        await me.timeline.advance(2500);
        storeTimeMs = me.timeline.nowMs - lostMs;
        me.sees(record, { storeTimeMs });
      }
      expect(me.timeline.nowMs).toBeLessThan(13_000);
      expect(me.step()).toMatchObject({ step: "look" });
    });

    it("T3: believes no span over two processes of the store", async () => {
      const me = candidate();
      const record = { ...held, renewal: 8, expiresAtMs: 15_000 };
      me.sees(held);
      await me.timeline.advance(1000);
      me.sees(record, { storeRunId: "R2" });
      await me.timeline.advance(14_000);
      expect(me.sees(record, { storeRunId: "R2" })).toEqual({ step: "look", afterMs: 1000 });
    });

    it("counts its own time by the least that can have passed: a suspended machine waits on (T3)", async () => {
      const me = candidate();
      me.sees(held);
      me.clock.suspend(3_600_000);
      me.timeline.skip(3_600_000);
      me.clock.stepWall(3_600_000);
      expect(me.sees(held, { storeTimeMs: 7_200_000 })).toEqual({ step: "look", afterMs: 15_000 });
    });

    it("does not believe across answers that travelled longer than the tolerance", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(14_000);
      me.sees({ ...held, renewal: 8, expiresAtMs: 27_000 });
      await me.timeline.advance(13_000);
      const step = me.sees({ ...held, renewal: 8, expiresAtMs: 27_000 }, {}, 1500);
      expect(step).toEqual({ step: "look", afterMs: 2000 });
    });

    it("takes over after a full lease of its own since it first saw this renewal, whatever the store's clock says", async () => {
      const me = candidate();
      me.sees({ ...held, expiresAtMs: 3_600_000 });
      await me.timeline.advance(15_000);
      expect(me.sees({ ...held, expiresAtMs: 3_600_000 }, { storeTimeMs: -3_600_000 })).toMatchObject({
        step: "take",
        basis: "waited",
        expected: { term: 7, renewal: 1 },
      });
    });

    it("starts that wait anew with every renewal", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(14_000);
      me.sees({ ...held, renewal: 2, expiresAtMs: 1 }, { storeTimeMs: 3_600_000 });
      await me.timeline.advance(14_000);
      expect(me.step()).toEqual({ step: "look", afterMs: 1000 });
    });

    it("waits as long as the holder's lease lasts where that is longer than its own", async () => {
      const me = candidate();
      me.sees({ ...held, leaseDurationMs: 60_000, expiresAtMs: 3_600_000 });
      await me.timeline.advance(15_000);
      expect(me.step()).toEqual({ step: "look", afterMs: 15_000 });
      await me.timeline.advance(45_000);
      expect(me.step()).toMatchObject({ step: "take", basis: "waited" });
    });

    it("B2: waits a full lease from first sight when the record is of another lineage", async () => {
      const me = candidate();
      me.sees(held);
      await me.timeline.advance(16_000);
      const rewound = me.sees(held, { lineage: "L2", storeRunId: "R2" });
      expect(rewound).toEqual({ step: "look", afterMs: 15_000 });
    });

    it("gives a lease back that is its own and that it knows nothing of", () => {
      expect(candidate().sees({ ...held, incarnation: "i-me" })).toEqual({ step: "drop-ghost", term: 7 });
    });

    it("L5: waits for a lease of an earlier process of the same node like for anybody else's", () => {
      const step = candidate().sees({ ...held, nodeId: "me", incarnation: "i-before" });
      expect(step).toMatchObject({ step: "look" });
    });
  });

  describe("with a tombstone", () => {
    const tombstone: LeaseRecord = { ...held, state: "released", expiresAtMs: 0 };

    it("takes it at once, also a deposed one", () => {
      expect(candidate().sees(tombstone)).toMatchObject({ step: "take", basis: "tombstone" });
      expect(candidate().sees({ ...tombstone, state: "deposed" })).toMatchObject({ basis: "tombstone" });
    });

    it("B2: waits a full lease when it is of another lineage", () => {
      const step = candidate().sees({ ...tombstone, lineage: "L0" });
      expect(step).toEqual({ step: "look", afterMs: 15_000 });
    });

    it("leaves a reserved one to its node, for as long as it is reserved", async () => {
      const reserved = { ...tombstone, reservedFor: "friend", reservedUntilMs: 4000 };
      expect(candidate().sees(reserved)).toEqual({ step: "look", afterMs: 4000 });
      expect(candidate({ nodeId: "friend" }).sees(reserved)).toMatchObject({ step: "take" });
      const me = candidate();
      await me.timeline.advance(4000);
      expect(me.sees(reserved)).toMatchObject({ step: "take", basis: "tombstone" });
    });
  });

  it("challenges a holder of lower priority after a whole lease as candidate", () => {
    const me = candidate({ priority: 5 });
    me.sees(held);
    expect(me.challenges(14_999)).toBe(false);
    expect(me.challenges(15_000)).toBe(true);
    me.sees({ ...held, priority: 5 });
    expect(me.challenges(15_000)).toBe(false);
    me.sees({ ...held, challenger: { nodeId: "x", priority: 5 } });
    expect(me.challenges(15_000)).toBe(false);
    me.sees({ ...held, state: "released" });
    expect(me.challenges(15_000)).toBe(false);
  });
});
