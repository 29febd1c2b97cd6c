import { describe, expect, it } from "vitest";
import { createMembership } from "../src/index.ts";
import { memoryMembershipSpace, memoryMembershipStore } from "../src/memory.ts";
import { redisMembershipStore } from "../src/redis.ts";

const fail = (): never => {
  throw new Error("the user's own");
};

describe("a membership that is used wrongly", () => {
  it.each([
    ["store", undefined],
    ["store", {}],
    ["nodeId", undefined],
    ["nodeId", "a b"],
    ["address", undefined],
    ["address", ""],
    ["incarnation", ""],
    ["checkIntervalMs", "5s"],
    ["timeoutMs", "3s"],
  ])("refuses %s %j, and names the option", (option, value) => {
    const options = { store: memoryMembershipStore(memoryMembershipSpace()), nodeId: "a", address: "a:1" };
    expect(() => Reflect.apply(createMembership, undefined, [{ ...options, [option]: value }])).toThrow(
      expect.objectContaining({ code: "invalid_options", details: { option } }),
    );
  });

  it.each([[undefined], ["redis://localhost:6379"], [{}]])("refuses %j for a client of Redis", (client) => {
    expect(() => Reflect.apply(redisMembershipStore, undefined, [client])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("joins and leaves although listeners and onError throw", async () => {
    const space = memoryMembershipSpace();
    const stop = new AbortController();
    const membership = createMembership({
      store: memoryMembershipStore(space),
      nodeId: "a",
      address: "a:1",
      onError: fail,
    });
    membership.subscribe(fail);
    membership.subscribe(async () => fail());
    const running = membership.run({ signal: stop.signal });
    await membership.joined();
    stop.abort();
    await running;
    expect(space.table()?.rows.size).toBe(0);
  });
});
