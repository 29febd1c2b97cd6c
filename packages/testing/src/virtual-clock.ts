import type { Clock } from "@parallax/core";
import { createTimeline } from "./timeline.ts";

/** Options of {@link createVirtualClock}. */
export interface VirtualClockOptions {
  /** The wall clock at the start, epoch ms. Default 2026-01-01T00:00:00Z. */
  readonly startWallMs?: number;
}

/**
 * A clock that moves only when it is told to, so that hours of logic take milliseconds and a run repeats exactly. Between
 * two timers it lets every promise that can settle settle. For several nodes with clocks of their own see `createTimeline`.
 */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass: runs what falls due, in order of time and then of its arming. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until {@link Clock.now} is `atMs`. */
  advanceTo(atMs: number): Promise<void>;
  /** Lets time pass, timer by timer, until `condition` holds. Throws if it does not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): Promise<void>;
  /** Lets every promise that can settle settle, without letting time pass. */
  settle(): Promise<void>;
  /** The wall clock is corrected by `ms`; the others do not notice. */
  stepWall(ms: number): void;
  /** The machine has slept: boot time and wall clock have gone on, the monotonic clock and all timers stood still. */
  suspend(ms: number): void;
  /** The process stands still for `ms`: time goes on, and what falls due meanwhile comes late. */
  stall(ms: number): void;
  /** How many timers are armed. */
  readonly timers: number;
}

/** Makes a clock for the tests of one node. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const timeline = createTimeline(options);
  const clock = timeline.clock();
  const { now, wall, mark, elapsedAtLeast, elapsedAtMost, sleep, after, every, stepWall, stall } = clock;
  return {
    ...{ now, wall, mark, elapsedAtLeast, elapsedAtMost, sleep, after, every, stepWall, stall },
    advance: (ms) => timeline.advance(ms),
    advanceTo: (atMs) => timeline.advance(Math.max(0, atMs - now())),
    runUntil: (condition, limitMs) => timeline.runUntil(condition, limitMs),
    settle: () => timeline.settle(),
    suspend(ms) {
      clock.suspend(ms);
      timeline.skip(ms);
    },
    get timers() {
      return clock.timers;
    },
  };
}
