import { type Clock, ParallaxError, type TimeMark } from "@parallax/core";

interface Process {
  /** Until then none of its timers fires. */
  pausedUntilMs: number;
  isDead: boolean;
}

interface Timer {
  atMs: number;
  readonly order: number;
  readonly process: Process;
  readonly fire: () => void;
}

export interface NodeClock extends Clock {
  stepWall(ms: number): void;
  /** The machine has slept for a moment: boot and wall time have passed, monotonic time has not. */
  suspend(ms: number): void;
  /** The process stands still: no timer fires, while all clocks go on. */
  pause(ms: number): void;
  /** The machine sleeps from now on: no timer fires and its monotonic clock stands still. */
  sleepMachine(ms: number): void;
  readonly isPaused: boolean;
  /** The process is gone, with all its timers. */
  kill(): void;
}

export interface Timeline {
  clock(options?: { rate?: number; wallOffsetMs?: number }): NodeClock;
  readonly nowMs: number;
  readonly pendingTimers: number;
  /** Called after every step. */
  onStep: () => void;
  advance(ms: number): Promise<void>;
  runUntil(isTrue: () => boolean, maxMs: number): Promise<void>;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** True time, and clocks that show it each at its own rate. */
export function createTimeline(): Timeline {
  let nowMs = 0;
  let order = 0;
  const timers = new Set<Timer>();

  function add(atMs: number, process: Process, fire: () => void): () => void {
    if (process.isDead) return () => {};
    order += 1;
    const timer = { atMs, order, process, fire };
    timers.add(timer);
    return () => void timers.delete(timer);
  }

  function nextTimer(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.atMs > untilMs) continue;
      if (!next || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order))
        next = timer;
    }
    return next;
  }

  async function advanceTo(untilMs: number, isDone: () => boolean): Promise<boolean> {
    await settle();
    for (let timer = nextTimer(untilMs); timer && !isDone(); timer = nextTimer(untilMs)) {
      nowMs = Math.max(nowMs, timer.atMs);
      if (timer.process.pausedUntilMs > nowMs) {
        timer.atMs = timer.process.pausedUntilMs;
        continue;
      }
      timers.delete(timer);
      timer.fire();
      await settle();
      timeline.onStep();
    }
    if (isDone()) return true;
    nowMs = untilMs;
    return false;
  }

  const timeline: Timeline = {
    onStep: () => {},
    get nowMs() {
      return nowMs;
    },
    get pendingTimers() {
      return timers.size;
    },
    clock: ({ rate = 1, wallOffsetMs = 0 } = {}) => {
      const process: Process = { pausedUntilMs: 0, isDead: false };
      let steppedMs = 0;
      let suspendedMs = 0;
      let standstillMs = 0;
      const monotonic = (): number => (nowMs - standstillMs) * rate;
      const wall = (): number => Date.UTC(2026, 0, 1) + monotonic() + suspendedMs + wallOffsetMs + steppedMs;
      const mark = (): TimeMark => ({
        monotonicMs: monotonic(),
        bootMs: monotonic() + suspendedMs,
        wallMs: wall(),
      });
      const after = (ms: number, fire: () => void): (() => void) =>
        add(nowMs + Math.max(0, ms) / rate, process, fire);
      return {
        now: monotonic,
        wall,
        mark,
        elapsedAtLeast: (since) => monotonic() - since.monotonicMs,
        elapsedAtMost(since) {
          const now = mark();
          return Math.max(
            now.monotonicMs - since.monotonicMs,
            now.bootMs - since.bootMs,
            now.wallMs - since.wallMs,
          );
        },
        after,
        every(ms, callback) {
          let cancel = (): void => {};
          const arm = (): void => {
            cancel = after(ms, () => {
              arm();
              callback();
            });
          };
          arm();
          return () => cancel();
        },
        sleep: (ms, signal) =>
          new Promise((resolve, reject) => {
            const cancel = after(ms, resolve);
            signal?.addEventListener(
              "abort",
              () => {
                cancel();
                reject(new ParallaxError("aborted", "the sleep was aborted"));
              },
              { once: true },
            );
          }),
        stepWall(ms) {
          steppedMs += ms;
        },
        suspend(ms) {
          suspendedMs += ms;
        },
        pause(ms) {
          process.pausedUntilMs = Math.max(process.pausedUntilMs, nowMs + ms);
        },
        sleepMachine(ms) {
          process.pausedUntilMs = Math.max(process.pausedUntilMs, nowMs + ms);
          standstillMs += ms;
          suspendedMs += ms * rate;
          for (const timer of timers) if (timer.process === process) timer.atMs += ms;
        },
        get isPaused() {
          return process.pausedUntilMs > nowMs;
        },
        kill() {
          process.isDead = true;
          for (const timer of timers) if (timer.process === process) timers.delete(timer);
        },
      };
    },
    async advance(ms) {
      await advanceTo(nowMs + ms, () => false);
    },
    async runUntil(isTrue, maxMs) {
      const done = await advanceTo(nowMs + maxMs, isTrue);
      if (!done && !isTrue()) throw new Error(`not true within ${maxMs} virtual ms`);
    },
  };
  return timeline;
}
