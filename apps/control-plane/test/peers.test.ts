import { noopLogger } from "@parallax/core";
import { describe, expect, it } from "vitest";
import type { NodeMessage } from "../src/node-messages.ts";
import { chooseOwner, createPeers, type Peers } from "../src/peers.ts";
import { type KnownMembers, knownMembers } from "./support/members.ts";

function peersOf(members: KnownMembers, send: (to: string) => Promise<void> = async () => {}): Peers {
  const membership = { incarnation: "a", view: members.view };
  return createPeers({ nodeId: "node-0", membership, bus: { send }, logger: noopLogger, functions: [] });
}

describe("the peers of a node", () => {
  it("are the other live members that take work", () => {
    const members = knownMembers("node-0#a", "node-1#b", "node-2#c", "node-3#d", "node-4#e");
    members.set("node-2#c", "suspect");
    members.set("node-3#d", "draining");
    members.set("node-4#e", "failed");
    expect(peersOf(members).takers()).toEqual([
      { nodeId: "node-1", owner: "node-1#b", functions: [] },
      { nodeId: "node-2", owner: "node-2#c", functions: [] },
    ]);
  });

  it("are none before the first view", () => {
    const membership = { incarnation: "a", view: () => undefined };
    const bus = { send: async () => {} };
    expect(
      createPeers({ nodeId: "node-0", membership, bus, logger: noopLogger, functions: [] }).takers(),
    ).toEqual([]);
  });

  it("are sent hints, of which one that is lost does no harm", async () => {
    const message: NodeMessage = { type: "adopt", from: "node-0" };
    const peers = peersOf(knownMembers(), () => Promise.reject(new Error("away")));
    expect(() => peers.send("node-1", message)).not.toThrow();
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("the owner of what is submitted", () => {
  it("is this node, another one while it drains, and nobody where there is none", () => {
    const alone = peersOf(knownMembers("node-0#a"));
    const together = peersOf(knownMembers("node-0#a", "node-1#b"));
    const own = { nodeId: "node-0", owner: "node-0#a", functions: [] };
    const well = { isDraining: false, isCutOff: false };
    const draining = { ...well, isDraining: true };
    expect(chooseOwner(together, well)).toEqual(own);
    expect(chooseOwner(together, draining)).toEqual({ nodeId: "node-1", owner: "node-1#b", functions: [] });
    expect(() => chooseOwner(alone, draining)).toThrow(expect.objectContaining({ code: "draining" }));
  });

  it("is a node that has the user's function, and nobody where none has it (X9)", () => {
    const wanted = { isDraining: false, isCutOff: false, functionHash: "f" };
    const members = knownMembers("node-0#a", "node-1#b");
    expect(() => chooseOwner(peersOf(members), wanted)).toThrow(
      expect.objectContaining({ code: "not_ready" }),
    );
    const report = { leading: undefined, capacity: {}, facts: { functions: ["f"] } };
    members.set("node-1#b", "healthy", { report });
    expect(chooseOwner(peersOf(members), wanted).nodeId).toBe("node-1");
  });

  it("is another one while the cluster does not hear this node, as far as it knows of one (M3)", () => {
    const cutOff = { isDraining: false, isCutOff: true };
    const together = peersOf(knownMembers("node-0#a", "node-1#b"));
    expect(chooseOwner(together, cutOff).nodeId).toBe("node-1");
    expect(chooseOwner(peersOf(knownMembers("node-0#a")), cutOff).nodeId).toBe("node-0");
  });
});
