import { describe, expect, it } from "vitest";
import { createMembership, type MembershipOptions } from "../src/index.ts";
import { memoryMembershipSpace, memoryMembershipStore } from "../src/memory.ts";

const base = { store: memoryMembershipStore(memoryMembershipSpace()), nodeId: "node-0", address: "a:1" };

describe("the options", () => {
  it.each<[string, Partial<MembershipOptions>]>([
    ["nodeId", { nodeId: "" }],
    ["nodeId", { nodeId: "two words" }],
    ["address", { address: "" }],
    ["checkIntervalMs", { checkIntervalMs: 0 }],
    ["checkIntervalMs", { checkIntervalMs: 1.5 }],
    ["unhealthyThreshold", { unhealthyThreshold: 0 }],
    ["removeAfterMs", { removeAfterMs: -1 }],
    ["timeoutMs", { timeoutMs: 5000 }],
    ["timeoutMs", { checkIntervalMs: 1000 }],
  ])("refuse a bad %s", (option, options) => {
    expect(() => createMembership({ ...base, ...options })).toThrow(
      expect.objectContaining({ code: "invalid_options", details: { option } }),
    );
  });

  it("have defaults", () => {
    const membership = createMembership(base);
    expect(membership.incarnation).toMatch(/^inc_\w{20}$/);
    expect(membership.unacknowledgedMs()).toBe(Number.POSITIVE_INFINITY);
    expect(membership.view()).toBeUndefined();
  });
});
