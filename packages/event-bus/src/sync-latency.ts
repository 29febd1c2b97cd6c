import type { Clock } from "@parallax/core";
import type { EventBusStats } from "./event-bus.ts";
import { createLatencyWindow } from "./latency.ts";

/** Own events whose delivery is awaited. More than this are not measured. */
const maxAwaited = 16_384;

/** Measures a node's own events on its one clock, from before the write until its own subscription delivers them. */
export interface SyncLatency {
  sent(tags: readonly string[], sentAt: number): void;
  delivered(tag: string): void;
  summary(): EventBusStats["syncLatencyMs"];
}

export function createSyncLatency(clock: Clock): SyncLatency {
  const window = createLatencyWindow(clock);
  const awaited = new Map<string, number>();
  return {
    sent(tags, sentAt) {
      for (const tag of tags) awaited.set(tag, sentAt);
      // Oldest first: of writes that failed, nothing ever arrives.
      for (const tag of awaited.keys()) {
        if (awaited.size <= maxAwaited) break;
        awaited.delete(tag);
      }
    },
    delivered(tag) {
      const sentAt = awaited.get(tag);
      if (sentAt === undefined) return;
      awaited.delete(tag);
      window.add(clock.now() - sentAt);
    },
    summary: window.summary,
  };
}
