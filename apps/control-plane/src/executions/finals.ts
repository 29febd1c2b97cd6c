import { type Clock, onAbort, type Unsubscribe } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";

/** Tells who waits for an execution that it has ended, on whichever node that happened. */
export interface Finals {
  /**
   * Waits until `isOver` says so: asked at once, after each event that may concern it, and after every gap.
   * Resolves to false when `timeoutMs` have passed or `signal` aborted first.
   */
  wait(id: string, isOver: () => Promise<boolean>, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  close(): void;
}

export function createFinals(options: {
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly topic: string;
}): Finals {
  const { bus, clock, topic } = options;
  const waiting = new Map<string, Set<() => void>>();

  const subscription = bus.subscribe(topic, { from: "now" }, (delivered) => {
    if (delivered.type === "gap") {
      for (const wakes of waiting.values()) for (const wake of wakes) wake();
      return;
    }
    const { id, status } = delivered.event;
    if (typeof id === "string" && isFinalStatus(status)) for (const wake of waiting.get(id) ?? []) wake();
  });

  function listen(id: string, wake: () => void): Unsubscribe {
    const wakes = waiting.get(id) ?? new Set();
    waiting.set(id, wakes.add(wake));
    return () => {
      wakes.delete(wake);
      if (wakes.size === 0) waiting.delete(id);
    };
  }

  return {
    async wait(id, isOver, timeoutMs, signal) {
      let over = false;
      let wake: () => void = () => {};
      const stopWaiting = (): void => {
        over = true;
        wake();
      };
      let woken = false;
      const unlisten = listen(id, () => {
        woken = true;
        wake();
      });
      const cancelTimer = clock.after(timeoutMs, stopWaiting);
      const forget = onAbort(signal, stopWaiting);
      try {
        // Listening comes first: what ends between the look and the wait is heard.
        await subscription.ready;
        while (!over) {
          woken = false;
          if (await isOver()) return true;
          if (!woken && !over) await new Promise<void>((resolve) => (wake = resolve));
        }
        return isOver();
      } finally {
        cancelTimer();
        forget();
        unlisten();
      }
    },
    close: () => subscription.close(),
  };
}

function isFinalStatus(status: unknown): boolean {
  return typeof status === "string" && ["completed", "failed", "cancelled"].some((final) => final === status);
}
