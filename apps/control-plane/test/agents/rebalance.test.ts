import type { Member, MemberStatus } from "@parallax/membership";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { overFullNodes, rebalanceDuty } from "../../src/agents/rebalance.ts";
import { type KnownMembers, knownMembers, memberOf } from "../support/members.ts";
import { testTerm } from "../support/terms.ts";

const settledAfterMs = 10_000;
const having = (agents: number): Partial<Member> => ({
  report: { leading: undefined, capacity: {}, facts: { agents } },
});

describe("the rebalancing of agents", () => {
  let clock: VirtualClock;
  let members: KnownMembers;
  let told: Map<string, number>;
  let duty: ReturnType<typeof rebalanceDuty>;

  beforeEach(() => {
    clock = createVirtualClock();
    members = knownMembers();
    told = new Map();
    const tell = (nodeId: string, share: number): void => void told.set(nodeId, share);
    duty = rebalanceDuty({ membership: members, clock, settledAfterMs, tell });
  });

  function set(counts: Readonly<Record<string, number>>, status: MemberStatus = "healthy"): void {
    for (const [name, count] of Object.entries(counts)) members.set(`${name}#a`, status, having(count));
  }
  /** What a round tells, once the view has been the same for long enough. */
  async function round(afterMs = settledAfterMs): Promise<Record<string, number>> {
    await duty.run(testTerm(1));
    await clock.advance(afterMs);
    told.clear();
    await duty.run(testTerm(1));
    return Object.fromEntries(told);
  }

  it("tells a node that has too many what its fair share is, and nobody else anything", async () => {
    set({ "node-0": 1500, "node-1": 1500, "node-2": 0 });
    expect(await round()).toEqual({ "node-0": 1000, "node-1": 1000 });
  });

  it("bears a tenth too many, and a handful", async () => {
    set({ "node-0": 1090, "node-1": 1000, "node-2": 910 });
    expect(await round()).toEqual({});
    set({ "node-0": 8, "node-1": 3, "node-2": 0 });
    expect(await round()).toEqual({});
    set({ "node-0": 10, "node-1": 1, "node-2": 1 });
    expect(await round()).toEqual({ "node-0": 4 });
  });

  it("goes on down to the share once it has begun, and then bears a tenth again", async () => {
    set({ "node-0": 200, "node-1": 0 });
    expect(await round()).toEqual({ "node-0": 100 });
    set({ "node-0": 104, "node-1": 96 });
    expect(await round(2000)).toEqual({ "node-0": 100 });
    set({ "node-0": 100, "node-1": 100 });
    expect(await round(2000)).toEqual({});
    set({ "node-0": 104, "node-1": 96 });
    expect(await round(2000)).toEqual({});
  });

  it("waits while the view is young: agents still come back from what changed it", async () => {
    set({ "node-0": 100 });
    await duty.run(testTerm(1));
    set({ "node-1": 0 });
    expect(await round(settledAfterMs - 1)).toEqual({});
    expect(await round(1)).toEqual({ "node-0": 50 });
  });

  it.each<MemberStatus>(["draining", "suspect"])("waits while a member is %s", async (status) => {
    set({ "node-0": 100, "node-1": 0 });
    set({ "node-2": 30 }, status);
    expect(await round(60_000)).toEqual({});
  });

  it("shares among the living: a failed member has no share", async () => {
    set({ "node-0": 100, "node-1": 20 });
    set({ "node-2": 40 }, "failed");
    expect(await round()).toEqual({ "node-0": 60 });
  });

  it("takes a member that says nothing of agents for one that has none", () => {
    const members = [memberOf("node-0#a", having(100)), memberOf("node-1#a")];
    expect(overFullNodes(members, new Set())).toEqual([{ nodeId: "node-0", share: 50 }]);
  });
});
