import { createTimeline } from "@parallax/testing";
import { describe, it } from "vitest";
import { type LeaseBackend, leaseStoreConformance } from "../src/conformance.ts";
import { memoryLeaseSpace, memoryLeaseStore } from "../src/memory.ts";

async function makeBackend(): Promise<LeaseBackend> {
  const timeline = createTimeline();
  const events: { type: string; nodeId: string; term: number }[] = [];
  const space = memoryLeaseSpace({
    clock: timeline.clock(),
    onEvent: ({ type, nodeId, term }) => events.push({ type, nodeId: String(nodeId), term: Number(term) }),
  });
  return {
    open: () => memoryLeaseStore(space),
    pass: (ms) => timeline.advance(ms),
    flush: async () => space.flush(),
    restart: async (options) => space.restart(options),
    events: async () => events,
    [Symbol.asyncDispose]: async () => {},
  };
}

describe("[memory] lease store", () => {
  leaseStoreConformance({ describe, it }, makeBackend, { restart: true, events: true });
});
