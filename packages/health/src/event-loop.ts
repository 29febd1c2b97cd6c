import { performance } from "node:perf_hooks";
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

/** What {@link watchEventLoop} needs. */
export interface LoopWatchOptions {
  readonly clock: Clock;
  readonly bounds: LoopBounds;
  /** Called at the end of each window. */
  readonly onWindow: () => void;
  readonly usage?: () => LoopUsage;
}

/** Busy and idle time of the loop since its start, in ms. */
export interface LoopUsage {
  readonly active: number;
  readonly idle: number;
}

const nodeUsage = (): LoopUsage => performance.eventLoopUtilization();

/**
 * Watches the event loop: its utilization over each window, and the longest time by which a tick of it came late. Both are
 * needed: a stall of a second hides in an average, and a loop that is always a little busy has no stall.
 */
export function watchEventLoop(options: LoopWatchOptions): { load(): LoopLoad; stop(): void } {
  const { clock, bounds, onWindow, usage = nodeUsage } = options;
  const tickMs = Math.min(250, bounds.windowMs / 4);
  let load: LoopLoad = { utilization: 0, delayMs: 0, overloaded: false };
  let since = usage();
  let windowStartMs = clock.now();
  let lastTickMs = clock.now();
  let worstMs = 0;

  const stop = clock.every(tickMs, () => {
    const now = clock.now();
    worstMs = Math.max(worstMs, now - lastTickMs - tickMs);
    lastTickMs = now;
    if (now - windowStartMs < bounds.windowMs) return;
    // The difference of two totals: an average since the start would hide what is going on now.
    const total = usage();
    const activeMs = total.active - since.active;
    const passedMs = activeMs + total.idle - since.idle;
    const seen = { utilization: passedMs > 0 ? activeMs / passedMs : 0, delayMs: worstMs };
    load = { ...seen, overloaded: isOverloaded(load.overloaded, seen, bounds) };
    since = total;
    windowStartMs = now;
    worstMs = 0;
    onWindow();
  });
  return { load: () => load, stop };
}
