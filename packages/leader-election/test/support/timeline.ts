import { type Clock, ParallaxError, type TimeMark } from "@parallax/core";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export interface NodeClock extends Clock {
  stepWall(ms: number): void;
  /** The machine sleeps: boot and wall time pass, monotonic time and timers do not. */
  suspend(ms: number): void;
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

  function add(atMs: number, fire: () => void): () => void {
    order += 1;
    const timer = { atMs, order, fire };
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
      timers.delete(timer);
      nowMs = Math.max(nowMs, timer.atMs);
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
      let steppedMs = 0;
      let suspendedMs = 0;
      const monotonic = (): number => nowMs * rate;
      const wall = (): number => Date.UTC(2026, 0, 1) + monotonic() + suspendedMs + wallOffsetMs + steppedMs;
      const mark = (): TimeMark => ({
        monotonicMs: monotonic(),
        bootMs: monotonic() + suspendedMs,
        wallMs: wall(),
      });
      const after = (ms: number, fire: () => void): (() => void) => add(nowMs + Math.max(0, ms) / rate, fire);
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
