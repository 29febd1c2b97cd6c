import { seededRandom } from "@parallax/core";
import { closeCodes } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import {
  type ConnectionEnd,
  createReconnect,
  type Reconnect,
  type ReconnectPolicy,
  type Step,
} from "../src/reconnect.ts";

const policy: ReconnectPolicy = {
  enabled: true,
  maxRetries: 3,
  backoff: { initialMs: 1_000, maxMs: 30_000, multiplier: 2 },
};
const failed: ConnectionEnd = { code: 1006, reason: "connect ECONNREFUSED" };
const lost: ConnectionEnd = { code: 1006, reason: "", welcomedForMs: 500, spreadMs: 5_000 };
const stable: ConnectionEnd = { ...lost, welcomedForMs: 10_000 };
const busy: ConnectionEnd = { ...failed, refusal: { status: 503, retryAfterMs: 2_000 } };
const unauthorized: ConnectionEnd = { ...failed, refusal: { status: 401, retryAfterMs: undefined } };

/** Always draws the same number: 1 gives the bounds of the waits. */
function reconnect(overrides: Partial<ReconnectPolicy> = {}, draw = 1): Reconnect {
  return createReconnect({ ...policy, ...overrides }, { next: () => draw });
}

function delays(steps: readonly Step[]): readonly unknown[] {
  return steps.map((step) => (step.type === "wait" ? step.delayMs : step.type));
}

function repeat(times: number, core: Reconnect, end: ConnectionEnd, owes: boolean): readonly Step[] {
  return Array.from({ length: times }, () => core.after(end, owes));
}

describe("an agent that can't connect", () => {
  it("waits up to twice as long each time, and never longer than the maximum", () => {
    const steps = repeat(7, reconnect({ maxRetries: Infinity }), failed, false);
    expect(delays(steps)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("draws the whole wait, also at the maximum: agents never get into step", () => {
    const core = createReconnect({ ...policy, maxRetries: Infinity }, seededRandom(7));
    const waits = delays(repeat(1_000, core, failed, false))
      .slice(10)
      .map(Number);
    expect(Math.min(...waits)).toBeLessThan(300);
    expect(Math.max(...waits)).toBeGreaterThan(29_700);
  });

  it("gives up after its retries when it owes nothing", () => {
    const steps = repeat(4, reconnect(), failed, false);
    expect(delays(steps)).toEqual([1_000, 2_000, 4_000, "give-up"]);
    expect(steps[3]).toMatchObject({ error: { code: "gave_up" } });
  });

  it("never gives up while it owes a result (B13)", () => {
    const steps = repeat(200, reconnect({ maxRetries: 0 }), failed, true);
    expect(steps.every((step) => step.type === "wait")).toBe(true);
  });

  it("does not count a node that says that it is busy, and comes when it was told to, spread (B13)", () => {
    const core = reconnect({}, 0.5);
    const steps = repeat(50, core, busy, false);
    expect(new Set(delays(steps))).toEqual(new Set([2_000 + 2_500]));
    expect(core.after(failed, false)).toMatchObject({ type: "wait", retry: 1 });
  });

  it("does not count a 503 without Retry-After either, but waits longer each time", () => {
    const steps = repeat(
      4,
      reconnect(),
      { ...failed, refusal: { status: 503, retryAfterMs: undefined } },
      false,
    );
    expect(delays(steps)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(steps.every((step) => step.type === "wait" && step.retry === 0)).toBe(true);
  });

  it("is not kept away for longer than five minutes", () => {
    const step = reconnect({}, 0).after(
      { ...failed, refusal: { status: 503, retryAfterMs: 86_400_000 } },
      false,
    );
    expect(step).toMatchObject({ delayMs: 300_000 });
  });

  it("does not try at all when it is told not to", () => {
    expect(reconnect({ enabled: false }).after(lost, true)).toMatchObject({ type: "give-up" });
  });
});

describe("an agent that lost its connection", () => {
  it("comes back spread over the time that the node had named", () => {
    expect(reconnect({}, 0.3).after({ ...stable, spreadMs: 20_000 }, false)).toMatchObject({
      delayMs: 6_000,
    });
  });

  it("is one of many that do not come back at once: 2,000 agents, never 4 % of them within 100 ms", () => {
    const random = seededRandom(11);
    const buckets = new Map<number, number>();
    for (let agent = 0; agent < 2_000; agent += 1) {
      const step = createReconnect(policy, random).after(stable, true);
      if (step.type !== "wait") throw new Error("an agent gave up");
      const bucket = Math.floor(step.delayMs / 100);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
    }
    expect(Math.max(...buckets.values())).toBeLessThan(80);
  });

  it("begins to count anew after ten stable seconds, and not before", () => {
    const core = reconnect();
    repeat(3, core, failed, false);
    expect(core.after(stable, false)).toMatchObject({ type: "wait", retry: 1 });
    const flapping = reconnect();
    repeat(3, flapping, { ...lost, welcomedForMs: 9_999 }, false);
    expect(flapping.after(lost, false)).toMatchObject({ type: "give-up" });
  });

  it("moves when the node drains, after the time that it asked for, and counts no failure", () => {
    const steps = repeat(10, reconnect(), { ...lost, code: 1001, moveInMs: 40 }, false);
    expect(steps.every((step) => step.type === "wait" && step.delayMs === 40 && step.retry === 0)).toBe(true);
  });

  it("soon comes back when the cluster wants it elsewhere", () => {
    const step = reconnect().after({ ...stable, code: closeCodes.rebalance }, false);
    expect(step).toMatchObject({ delayMs: 1_000 });
  });
});

describe("an agent that is refused for good", () => {
  it.each([
    ["a bad token", unauthorized],
    ["a role that may not", { ...failed, refusal: { status: 403, retryAfterMs: undefined } }],
    ["another version", { ...lost, code: closeCodes.unsupportedVersion }],
    ["another process in its session", { ...stable, code: closeCodes.replaced }],
  ])("does not come back: %s", (_, end) => {
    expect(reconnect({ maxRetries: Infinity }).after(end, false)).toMatchObject({ type: "give-up" });
  });

  it("comes back in a new session while it owes a result", () => {
    expect(reconnect().after({ ...stable, code: closeCodes.replaced }, true)).toMatchObject({
      type: "wait",
      forget: true,
    });
  });

  it("keeps its session on every other end", () => {
    for (const end of [failed, lost, stable, busy]) {
      expect(reconnect().after(end, true)).toMatchObject({ forget: false });
    }
  });
});
