import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { createOwnerCheck, type OwnerCheck } from "../../src/duties/owner-check.ts";
import { type KnownMembers, knownMembers } from "../support/members.ts";

describe("whether an owner has provably ended (X1)", () => {
  let clock: VirtualClock;
  let members: KnownMembers;
  let check: OwnerCheck;

  beforeEach(() => {
    clock = createVirtualClock();
    members = knownMembers("node-0#a", "node-1#b");
    check = createOwnerCheck({ membership: members, clock, absentMs: 15_000 });
  });

  it.each(["healthy", "suspect", "draining"] as const)("no: a %s member lives", async (status) => {
    members.set("node-1#b", status);
    await clock.advance(60_000);
    expect(await check.hasEnded("node-1#b")).toBe(false);
  });

  it("no: a failed member whose end is not proven may live", async () => {
    members.set("node-1#b", "failed");
    for (let looks = 0; looks < 10; looks += 1) {
      expect(await check.hasEnded("node-1#b")).toBe(false);
      await clock.advance(15_000);
    }
    expect(members.declared).toEqual([]);
  });

  it("yes: a failed member that membership knows to have ended", async () => {
    members.set("node-1#b", "failed");
    members.ended.add("b");
    expect(await check.hasEnded("node-1#b")).toBe(true);
  });

  it("yes: a former process of a node that has started anew", async () => {
    members.ended.add("old");
    expect(await check.hasEnded("node-1#old")).toBe(true);
    expect(await check.hasEnded("node-1#b")).toBe(false);
  });

  it("not before an unknown one has been absent for the whole time: a living one would have joined by then", async () => {
    expect(await check.hasEnded("node-2#c")).toBe(false);
    await clock.advance(14_999);
    expect(await check.hasEnded("node-2#c")).toBe(false);
    expect(members.declared).toEqual([]);
    await clock.advance(1);
    expect(await check.hasEnded("node-2#c")).toBe(true);
    expect(members.declared).toEqual(["c"]);
  });

  it("counts the absence anew after it was seen", async () => {
    expect(await check.hasEnded("node-2#c")).toBe(false);
    await clock.advance(14_000);
    members.set("node-2#c", "healthy");
    expect(await check.hasEnded("node-2#c")).toBe(false);
    members.remove("node-2#c");
    await clock.advance(14_000);
    expect(await check.hasEnded("node-2#c")).toBe(false);
    await clock.advance(14_999);
    expect(await check.hasEnded("node-2#c")).toBe(false);
    await clock.advance(1);
    expect(await check.hasEnded("node-2#c")).toBe(true);
  });

  it("counts the least time that can have passed: a clock that jumps ends nobody (T3)", async () => {
    expect(await check.hasEnded("node-2#c")).toBe(false);
    clock.stepWall(3_600_000);
    clock.suspend(3_600_000);
    expect(await check.hasEnded("node-2#c")).toBe(false);
  });

  it("no: when the store knows it as a member though this node's view does not show it yet", async () => {
    members.set("node-2#c", "healthy");
    const blind = createOwnerCheck({ membership: { ...members, view: () => undefined }, clock, absentMs: 0 });
    expect(await blind.hasEnded("node-2#c")).toBe(false);
  });
});
