import { type Clock, ParallaxError, type TimeMark } from "@parallax/core";

interface Timer {
  atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A node's clock on a timeline. */
export interface NodeClock extends Clock {
  stepWall(ms: number): void;
  /** The machine sleeps: boot and wall time go on, monotonic time and timers do not. */
  suspend(ms: number): void;
  /** The event loop is blocked: no timer fires before `ms` have passed; clocks go on. */
  stall(ms: number): void;
}

export interface Timeline {
  readonly nowMs: number;
  clock(options?: { readonly rate?: number; readonly wallOffsetMs?: number }): NodeClock;
  advance(ms: number): Promise<void>;
  /** Goes on until it is true. Fails after `maxMs`. */
  until(isTrue: () => boolean, maxMs?: number): Promise<void>;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** True time, and clocks that show it, each at its own rate and with its own faults. */
export function createTimeline(): Timeline {
  let nowMs = 0;
  let order = 0;
  const timers = new Set<Timer>();

  function next(untilMs: number): Timer | undefined {
    const due = [...timers].filter(({ atMs }) => atMs <= untilMs);
    return due.sort((left, right) => left.atMs - right.atMs || left.order - right.order)[0];
  }

  async function advanceTo(untilMs: number, isDone: () => boolean): Promise<boolean> {
    await settle();
    for (let timer = next(untilMs); timer && !isDone(); timer = next(untilMs)) {
      timers.delete(timer);
      nowMs = Math.max(nowMs, timer.atMs);
      timer.fire();
      await settle();
    }
    if (isDone()) return true;
    nowMs = untilMs;
    return false;
  }

  function clock({ rate = 1, wallOffsetMs = 0 } = {}): NodeClock {
    let steppedMs = 0;
    let suspendedMs = 0;
    const own = new Set<Timer>();
    const monotonic = (): number => nowMs * rate - suspendedMs;
    const mark = (): TimeMark => ({
      monotonicMs: monotonic(),
      bootMs: nowMs * rate,
      wallMs: 1_700_000_000_000 + nowMs * rate + wallOffsetMs + steppedMs,
    });
    function delay(ms: number): void {
      for (const timer of own) timer.atMs = Math.max(timer.atMs, nowMs + ms);
    }
    function after(ms: number, callback: () => void): () => void {
      order += 1;
      const timer = { atMs: nowMs + Math.max(0, ms) / rate, order, fire };
      function fire(): void {
        own.delete(timer);
        callback();
      }
      own.add(timer);
      timers.add(timer);
      return () => {
        own.delete(timer);
        timers.delete(timer);
      };
    }
    return {
      now: monotonic,
      wall: () => mark().wallMs,
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
        let cancel = after(ms, again);
        function again(): void {
          cancel = after(ms, again);
          callback();
        }
        return () => cancel();
      },
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const cancel = after(ms, resolve);
          signal?.addEventListener("abort", () => {
            cancel();
            reject(new ParallaxError("aborted", "sleeping: aborted"));
          });
        }),
      stepWall(ms) {
        steppedMs += ms;
      },
      suspend(ms) {
        suspendedMs += ms;
        for (const timer of own) timer.atMs += ms;
      },
      stall: delay,
    };
  }

  return {
    get nowMs() {
      return nowMs;
    },
    clock,
    async advance(ms) {
      await advanceTo(nowMs + ms, () => false);
    },
    async until(isTrue, maxMs = 600_000) {
      if (!(await advanceTo(nowMs + maxMs, isTrue)) && !isTrue()) {
        throw new Error(`not true within ${maxMs} virtual ms`);
      }
    },
  };
}
