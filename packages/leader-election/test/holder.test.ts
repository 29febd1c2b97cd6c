import { createTimeline } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import {
  endHolder,
  type HolderState,
  holderRemainingMs,
  newHolder,
  nextHolderStep,
  renewalAnswered,
  renewalSent,
} from "../src/holder.ts";
import type { LeaseReading, LeaseRecord, RenewOutcome, TermEnd } from "../src/index.ts";

const rules = {
  leaseDurationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 2000,
  callTimeoutMs: 5000,
  abortMarginMs: 50,
  replicas: 0,
  priority: 0,
};

const record: LeaseRecord = {
  nodeId: "me",
  incarnation: "i-me",
  term: 7,
  renewal: 2,
  heldForMs: 0,
  state: "held",
  expiresAtMs: 0,
  leaseDurationMs: 15_000,
  lineage: "L1",
  priority: 0,
  reservedFor: undefined,
  reservedUntilMs: 0,
  termsGranted: 1,
  challenger: undefined,
};

const reading = (change: Partial<LeaseRecord> = {}): LeaseReading => ({
  record: { ...record, ...change },
  storeTimeMs: 0,
  lineage: "L1",
  storeRemembersMs: 1e9,
  storeRunId: "R1",
});

const renewed = (change: Partial<LeaseRecord> = {}, replicas = 0): RenewOutcome => ({
  outcome: "renewed",
  reading: reading(change),
  replicas,
});

function holder(change: Partial<typeof rules> = {}, grantReplicas = 0) {
  const timeline = createTimeline();
  const clock = timeline.clock();
  const all = { ...rules, ...change };
  let state: HolderState = newHolder(
    { term: 7, reading: reading(), replicas: grantReplicas },
    clock.mark(),
    all,
  );
  let sentAt = clock.mark();
  return {
    timeline,
    clock,
    sends() {
      sentAt = clock.mark();
      state = renewalSent(state, sentAt, clock);
    },
    hears(outcome: RenewOutcome) {
      state = renewalAnswered(state, outcome, sentAt, clock.mark(), all, clock);
    },
    ends(reason: TermEnd) {
      state = endHolder(state, { reason, at: clock.mark(), to: undefined });
    },
    overruns() {
      state = { ...state, hasOverrun: true };
    },
    step: (work: "not-started" | "running" | "done" = "running", isHinted = false) =>
      nextHolderStep(state, work, isHinted, all, clock),
    remaining: () => holderRemainingMs(state, all, clock),
    get state() {
      return state;
    },
  };
}

describe("a holder", () => {
  it("starts the work at once after a grant that counts", () => {
    expect(holder().step("not-started")).toEqual({ step: "start" });
  });

  it("renews every retry period", async () => {
    const me = holder();
    expect(me.step()).toEqual({ step: "wait", ms: 2000 });
    await me.timeline.advance(2000);
    expect(me.step()).toEqual({ step: "renew", reassert: true, timeoutMs: 5000 });
  });

  it("T3: tells the store the most time that it can have held the term, though its wall clock steps back again", async () => {
    const me = holder();
    await me.timeline.advance(2000);
    me.sends();
    expect(me.state.heldForMs).toBe(2000);
    me.clock.stepWall(60_000);
    await me.timeline.advance(2000);
    me.sends();
    me.clock.stepWall(-60_000);
    await me.timeline.advance(2000);
    me.sends();
    expect(me.state.heldForMs).toBe(66_000);
  });

  it("renews sooner at a hint, at most ten times a period", async () => {
    const me = holder();
    expect(me.step("running", true)).toEqual({ step: "wait", ms: 200 });
    await me.timeline.advance(200);
    expect(me.step("running", true)).toMatchObject({ step: "renew" });
  });

  describe("its validity (L3)", () => {
    it("counts from the mark before sending, not from the answer (T1)", async () => {
      const me = holder();
      await me.timeline.advance(2000);
      me.sends();
      await me.timeline.advance(3000);
      me.hears(renewed());
      expect(me.remaining()).toBe(7000);
    });

    it("is not extended by what is unknown", async () => {
      const me = holder();
      me.sends();
      await me.timeline.advance(5000);
      me.sends();
      expect(me.remaining()).toBe(5000);
    });

    it("counts the most time that can have passed (T3)", () => {
      const me = holder();
      me.clock.suspend(4000);
      me.timeline.skip(4000);
      expect(me.remaining()).toBe(6000);
      me.clock.stepWall(3000);
      expect(me.remaining()).toBe(3000);
      me.clock.stepWall(-60_000);
      expect(me.remaining()).toBe(6000);
    });

    it("ends before its deadline", async () => {
      const me = holder();
      await me.timeline.advance(9000);
      expect(me.step()).toMatchObject({ step: "renew", timeoutMs: 950 });
      me.sends();
      await me.timeline.advance(949);
      expect(me.step()).toEqual({ step: "wait", ms: 1 });
      await me.timeline.advance(1);
      expect(me.step()).toEqual({ step: "end", reason: "deadline" });
      expect(me.remaining()).toBeGreaterThan(0);
    });

    it("does not come back when the saving answer arrives after the deadline", async () => {
      const me = holder();
      await me.timeline.advance(5000);
      me.sends();
      await me.timeline.advance(5000);
      me.hears(renewed());
      expect(me.remaining()).toBe(0);
      expect(me.state.ending?.reason).toBe("deadline");
    });

    it("does not come back by renewals while the work drains", async () => {
      const me = holder();
      me.ends("deadline");
      me.sends();
      me.hears(renewed());
      expect(me.remaining()).toBe(0);
      expect(me.state.ending?.reason).toBe("deadline");
    });

    it("needs the replicas to acknowledge, the grant included", async () => {
      const me = holder({ replicas: 1 }, 0);
      expect(me.step("not-started")).toEqual({ step: "wait", ms: 2000 });
      await me.timeline.advance(2000);
      expect(me.step("not-started")).toMatchObject({ step: "renew", reassert: false });
      me.sends();
      me.hears(renewed({}, 0));
      expect(me.remaining()).toBe(0);
      await me.timeline.advance(2000);
      me.sends();
      me.hears(renewed({}, 1));
      expect(me.remaining()).toBe(10_000);
      expect(me.step("not-started")).toEqual({ step: "start" });
      await me.timeline.advance(2000);
      me.sends();
      me.hears(renewed({}, 0));
      expect(me.remaining()).toBe(8000);
    });

    it("gives a grant up that the replicas never acknowledge", async () => {
      const me = holder({ replicas: 1 }, 0);
      await me.timeline.advance(10_000);
      expect(me.step("not-started")).toEqual({ step: "end", reason: "deadline" });
      me.ends("deadline");
      expect(me.step("not-started")).toEqual({ step: "release" });
    });

    it("ends at once when the lease is another's, or was deposed", () => {
      for (const [state, reason] of [
        ["held", "superseded"],
        ["deposed", "deposed"],
      ] as const) {
        const me = holder();
        me.hears({ outcome: "lost", reading: reading({ term: 8, state }) });
        expect(me.remaining()).toBe(0);
        expect(me.state.ending?.reason).toBe(reason);
        expect(me.step("done")).toEqual({ step: "leave" });
      }
    });
  });

  describe("giving up (L4)", () => {
    it("does not release while the work runs", async () => {
      const me = holder();
      me.ends("stepped-down");
      for (let second = 0; second < 60; second += 1) {
        expect(me.step("running").step).not.toBe("release");
        if (me.step("running").step === "overrun") me.overruns();
        await me.timeline.advance(1000);
      }
      expect(me.step("done")).toEqual({ step: "release" });
    });

    it("goes on renewing while the work drains, at most for a renew deadline", async () => {
      const me = holder();
      me.ends("stepped-down");
      let renewals = 0;
      for (let second = 0; second < 30; second += 1) {
        if (me.step().step === "renew") {
          renewals += 1;
          me.sends();
          me.hears(renewed());
        }
        await me.timeline.advance(1000);
      }
      expect(renewals).toBe(4);
    });

    it("writes a lost record anew while it drains, but not once the term is invalid", async () => {
      const stepping = holder();
      stepping.ends("stepped-down");
      await stepping.timeline.advance(2000);
      expect(stepping.step()).toMatchObject({ step: "renew", reassert: true });
      const lost = holder();
      lost.ends("deadline");
      await lost.timeline.advance(2000);
      expect(lost.step()).toMatchObject({ step: "renew", reassert: false });
    });

    it("says when the lease ends before the work: a lease after the last renewal", async () => {
      const me = holder();
      me.ends("deadline");
      await me.timeline.advance(14_499);
      expect(me.step()).toEqual({ step: "wait", ms: 1 });
      await me.timeline.advance(1);
      expect(me.step()).toEqual({ step: "overrun" });
    });

    it("says so a lease minus a renew deadline after the store reported the loss", async () => {
      const me = holder();
      me.hears({ outcome: "lost", reading: reading({ term: 8 }) });
      await me.timeline.advance(4499);
      expect(me.step()).toEqual({ step: "wait", ms: 1 });
      await me.timeline.advance(1);
      expect(me.step()).toEqual({ step: "overrun" });
    });

    it("keeps the first reason", () => {
      const me = holder();
      me.ends("stopped");
      me.ends("stepped-down");
      expect(me.state.ending?.reason).toBe("stopped");
    });
  });

  it("hands over to a challenger of higher priority, not to one of its own", () => {
    const me = holder({ priority: 3 });
    me.hears(renewed({ challenger: { nodeId: "equal", priority: 3 } }));
    expect(me.state.ending).toBeUndefined();
    me.hears(renewed({ challenger: { nodeId: "higher", priority: 4 } }));
    expect(me.state.ending).toMatchObject({ reason: "stepped-down", to: "higher" });
  });
});
