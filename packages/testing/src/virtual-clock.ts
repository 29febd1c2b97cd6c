import { type CancelTimer, type Clock, onAbort, ParallaxError } from "@parallax/core";

export interface VirtualClockOptions {
  /** The wall clock at the start, epoch ms. Default 2026-01-01T00:00:00Z. */
  readonly wallMs?: number;
}

/**
 * A clock that moves only when it is told to, so that hours of logic take milliseconds and a run repeats exactly. Between
 * two timers it lets every promise that can settle settle.
 */
export interface VirtualClock extends Clock {
  /** Lets `ms` pass: runs what falls due, in order of time and then of its arming. */
  advance(ms: number): Promise<void>;
  /** Lets time pass, timer by timer, until `condition` holds. Throws if it does not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): Promise<void>;
  /** Lets every promise that can settle settle, without letting time pass. */
  settle(): Promise<void>;
  /** The wall clock is corrected by `ms`; the others do not notice. */
  stepWall(ms: number): void;
  /** The machine sleeps: boot time and wall clock go on, the monotonic clock and all timers stand still. */
  suspend(ms: number): void;
  /** How many timers are armed. */
  readonly timers: number;
}

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const timers = new Set<Timer>();
  let monotonicMs = 0;
  let bootMs = 0;
  let wallMs = options.wallMs ?? Date.UTC(2026, 0, 1);
  let armed = 0;

  function pass(ms: number): void {
    monotonicMs += ms;
    bootMs += ms;
    wallMs += ms;
  }

  function next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order))
        first = timer;
    }
    return first;
  }

  function fire(timer: Timer): void {
    timers.delete(timer);
    pass(Math.max(0, timer.dueMs - monotonicMs));
    timer.run();
  }

  function after(ms: number, callback: () => void): CancelTimer {
    armed += 1;
    const timer: Timer = { dueMs: monotonicMs + Math.max(0, ms), order: armed, run: callback };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  }

  const clock: VirtualClock = {
    now: () => monotonicMs,
    wall: () => wallMs,
    mark: () => ({ monotonicMs, bootMs, wallMs }),
    elapsedAtLeast: (mark) => monotonicMs - mark.monotonicMs,
    elapsedAtMost: (mark) =>
      Math.max(monotonicMs - mark.monotonicMs, bootMs - mark.bootMs, wallMs - mark.wallMs),
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        let forget: () => void = () => {};
        const cancel = after(ms, () => {
          forget();
          resolve();
        });
        forget = onAbort(signal, () => {
          cancel();
          reject(
            new ParallaxError("aborted", "the wait was aborted by its signal", { cause: signal?.reason }),
          );
        });
      });
    },
    after,
    every(ms, callback) {
      let cancel: CancelTimer = () => {};
      const arm = (): void => {
        cancel = after(ms, () => {
          arm();
          callback();
        });
      };
      arm();
      return () => cancel();
    },
    async advance(ms) {
      const untilMs = monotonicMs + ms;
      await settlePromises();
      for (let timer = next(); timer && timer.dueMs <= untilMs; timer = next()) {
        fire(timer);
        await settlePromises();
      }
      pass(untilMs - monotonicMs);
    },
    async runUntil(condition, limitMs) {
      const untilMs = monotonicMs + limitMs;
      await settlePromises();
      while (!condition()) {
        const timer = next();
        if (!timer || timer.dueMs > untilMs)
          throw new Error(`the condition did not hold within ${limitMs} ms of virtual time`);
        fire(timer);
        await settlePromises();
      }
    },
    settle: settlePromises,
    stepWall(ms) {
      wallMs += ms;
    },
    suspend(ms) {
      bootMs += ms;
      wallMs += ms;
    },
    get timers() {
      return timers.size;
    },
  };
  return clock;
}

/** A real macrotask runs only once no microtask is left. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
