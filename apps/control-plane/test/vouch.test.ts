import type { Member, MemberReport, View } from "@parallax/membership";
import { describe, expect, it } from "vitest";
import { createVouch } from "../src/vouch.ts";

function member(
  id: string,
  broken: readonly string[] | undefined,
  status: Member["status"] = "healthy",
): Member {
  const facts: MemberReport["facts"] = broken ? { broken } : {};
  const report = { leading: undefined, capacity: {}, facts };
  const rest = { incarnation: id, address: `${id}:1`, zone: undefined, joinedAtMs: 0, lastBeatAtMs: 0 };
  return { id, status, report, ...rest };
}

/** What node-0 does whose part is broken, among these. */
function vouches(broken: readonly string[], ...members: Member[]): boolean {
  const view: View = { epoch: "e", version: 1, members, observedAtMs: 0 };
  const reachability = { broken, brokenFor: () => broken, run: async () => {} };
  return createVouch({ nodeId: "node-0", reachability, view: () => view, graceMs: 12_000 })();
}

describe("M7, B6: a node vouches for itself", () => {
  const self = member("node-0", ["partition 3"]);

  it("as long as nothing is broken, and where its state is in its own process", () => {
    expect(vouches([], self, member("node-1", []))).toBe(true);
    const view = (): undefined => undefined;
    expect(createVouch({ nodeId: "node-0", reachability: undefined, view, graceMs: 1 })()).toBe(true);
  });

  it("no longer when others see working what is broken here", () => {
    expect(vouches(["partition 3"], self, member("node-1", []), member("node-2", ["partition 3"]))).toBe(
      false,
    );
    expect(vouches(["partition 3"], self, member("node-1", ["partition 4"]))).toBe(false);
    // One of an older version does not say.
    expect(vouches(["subscriber"], self, member("node-1", undefined))).toBe(false);
  });

  it("still when it is broken for all, or nobody is there to take over", () => {
    expect(vouches(["partition 3"], self, member("node-1", ["partition 3"]))).toBe(true);
    expect(vouches(["partition 3"], self)).toBe(true);
    expect(vouches(["partition 3"], self, member("node-1", [], "failed"))).toBe(true);
  });

  it("for a grace of time", () => {
    let askedMs = 0;
    const reachability = {
      broken: ["data"],
      brokenFor(ms: number) {
        askedMs = ms;
        return [];
      },
      run: async () => {},
    };
    expect(createVouch({ nodeId: "node-0", reachability, view: () => undefined, graceMs: 12_000 })()).toBe(
      true,
    );
    expect(askedMs).toBe(12_000);
  });
});
