import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { type ConnectionLimits, createDoorkeeper } from "../../src/agents/doorkeeper.ts";

describe("the number of connections", () => {
  /** Admits one connection, and returns what was said, or its socket. */
  function door(limits: Partial<ConnectionLimits>) {
    const doorkeeper = createDoorkeeper({ total: 100, perAddress: 100, perToken: 100, ...limits });
    return (address: string, token: string): EventEmitter | string => {
      const socket = new EventEmitter();
      return doorkeeper.admit(address, token, socket) ?? socket;
    };
  }

  it.each<[string, Partial<ConnectionLimits>, string]>([
    ["of all", { total: 2 }, "everybody together"],
    ["from one address", { perAddress: 2 }, "this address"],
    ["with one token", { perToken: 2 }, "this token"],
  ])("%s is bounded, and one that closes makes room", (_, limits, who) => {
    const admit = door(limits);
    const first = admit("10.0.0.1", "a");
    admit("10.0.0.1", "a");
    expect(admit("10.0.0.1", "a")).toBe(who);
    expect(admit("10.0.0.1", "a"), "a refused one is not counted").toBe(who);
    Object(first).emit("close");
    expect(admit("10.0.0.1", "a")).toBeInstanceOf(EventEmitter);
  });

  it("of one address or token leaves the others alone", () => {
    const admit = door({ perAddress: 1, perToken: 1 });
    admit("10.0.0.1", "a");
    expect(admit("10.0.0.1", "b")).toBe("this address");
    expect(admit("10.0.0.2", "a")).toBe("this token");
    expect(admit("10.0.0.2", "b")).toBeInstanceOf(EventEmitter);
  });
});
