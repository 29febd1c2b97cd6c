import { type EventLoopUtilization, performance } from "node:perf_hooks";
import type { Clock } from "@parallax/core";

/** The bounds of an event loop, over a window. */
export interface LoopBounds {
  /** Overloaded at this share of busy time. Default 0.95. */
  readonly utilization: number;
  /** Overloaded when a timer comes this late, in ms. Default 1000. */
  readonly delayMs: number;
  /** Default 5000. */
  readonly windowMs: number;
}

export const defaultLoopBounds: LoopBounds = { utilization: 0.95, delayMs: 1000, windowMs: 5000 };

/** What was seen in the last whole window. */
export interface LoopLoad {
  readonly utilization: number;
  readonly delayMs: number;
  readonly overloaded: boolean;
}

/** Below this share of a bound an overloaded loop counts as well again, so that it does not flap. */
const recovery = 0.8;

/** Whether a loop is overloaded, with hysteresis. Pure. */
export function isOverloaded(
  before: boolean,
  seen: { utilization: number; delayMs: number },
  bounds: LoopBounds,
): boolean {
  const factor = before ? recovery : 1;
  return seen.utilization >= bounds.utilization * factor || seen.delayMs >= bounds.delayMs * factor;
}

/** Watches the event loop: its utilization over each window, and the longest time by which a tick of it came late. */
export function watchEventLoop(clock: Clock, bounds: LoopBounds): { load(): LoopLoad; stop(): void } {
  const tickMs = Math.min(250, bounds.windowMs / 4);
  let load: LoopLoad = { utilization: 0, delayMs: 0, overloaded: false };
  let since: EventLoopUtilization = performance.eventLoopUtilization();
  let windowStartMs = clock.now();
  let lastTickMs = clock.now();
  let worstMs = 0;

  const stop = clock.every(tickMs, () => {
    const now = clock.now();
    worstMs = Math.max(worstMs, now - lastTickMs - tickMs);
    lastTickMs = now;
    if (now - windowStartMs < bounds.windowMs) return;
    const total = performance.eventLoopUtilization();
    const seen = {
      utilization: performance.eventLoopUtilization(total, since).utilization,
      delayMs: worstMs,
    };
    load = { ...seen, overloaded: isOverloaded(load.overloaded, seen, bounds) };
    since = total;
    windowStartMs = now;
    worstMs = 0;
  });
  return { load: () => load, stop };
}
