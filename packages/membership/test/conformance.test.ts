import { createTimeline, describeBackend } from "@parallax/testing";
import { describe, it } from "vitest";
import { type MembershipBackend, membershipStoreConformance } from "../src/conformance.ts";
import { memoryMembershipSpace, memoryMembershipStore } from "../src/memory.ts";

async function memoryBackend(): Promise<MembershipBackend> {
  const timeline = createTimeline();
  const events: { type: string }[] = [];
  const space = memoryMembershipSpace({ clock: timeline.clock(), onEvent: (event) => events.push(event) });
  return {
    open: () => memoryMembershipStore(space),
    pass: (ms) => timeline.advance(ms),
    flush: async () => space.lose(),
    failOver: async () => space.rewind(space.table()),
    events: async () => events,
    async [Symbol.asyncDispose]() {},
  };
}

describeBackend("memory", "the membership store", () => {
  membershipStoreConformance({ describe, it }, memoryBackend, { failOver: true, events: true });
});
