import { describe, expect, it } from "vitest";
import { laterPhase, stateOf } from "../src/life-cycle.ts";

const phases = ["starting", "serving", "draining", "stopped"] as const;

describe("the life cycle", () => {
  it("is ready or degraded only while the node serves", () => {
    expect(phases.map((phase) => stateOf({ phase, well: true }))).toEqual([
      "starting",
      "ready",
      "draining",
      "stopped",
    ]);
    expect(stateOf({ phase: "serving", well: false })).toBe("degraded");
    expect(stateOf({ phase: "draining", well: false })).toBe("draining");
  });

  it("never goes back", () => {
    for (const [from, current] of phases.entries()) {
      for (const [to, next] of phases.entries())
        expect(laterPhase(current, next)).toBe(phases[Math.max(from, to)]);
    }
  });
});
