import { type CancelTimer, type Clock, onAbort, ParallaxError, type TimeMark } from "@parallax/core";
import { createTimerQueue, type Timer } from "./timer-queue.ts";

/** How a node's clock differs from true time. */
export interface NodeClockOptions {
  /** How many milliseconds it shows in one true millisecond. Default 1. */
  readonly rate?: number;
  /** How far its wall clock is off, in milliseconds. Default 0. */
  readonly wallOffsetMs?: number;
}

/** The clock of one node, with the faults that clocks and their machines have. */
export interface NodeClock extends Clock {
  /** The wall clock is corrected by `ms`; the others do not notice. */
  stepWall(ms: number): void;
  /** The machine sleeps for `ms`: boot time and wall clock go on, the monotonic clock and all timers stand still. */
  suspend(ms: number): void;
  /** The event loop is blocked for `ms`: no timer fires, while all clocks go on. */
  stall(ms: number): void;
  /** From now on it shows `rate` milliseconds in one true millisecond. */
  setRate(rate: number): void;
  /** The process is gone: its timers are dropped, and it arms none any more. */
  kill(): void;
  /** Whether the event loop is blocked now, or its machine sleeps. */
  readonly isStalled: boolean;
  /** How many of its timers are armed. */
  readonly timers: number;
}

/**
 * True time, and clocks that show it, each in its own way. It moves only when it is told to, so that hours of a cluster take
 * milliseconds and a run repeats exactly. Between two timers every promise that can settle settles.
 */
export interface Timeline {
  /** True milliseconds since the start. */
  readonly nowMs: number;
  /** How many timers are armed, on all clocks. */
  readonly timers: number;
  clock(options?: NodeClockOptions): NodeClock;
  /** Lets `ms` pass: runs what falls due, in order of time and then of its arming. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until `atMs`. */
  advanceTo(atMs: number): Promise<void>;
  /** Lets time pass, timer by timer, until `condition` holds. Throws if it does not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number): Promise<void>;
  /** Lets `ms` pass at once: what falls due meanwhile fires late. */
  skip(ms: number): void;
  /** Lets every promise that can settle settle, without letting time pass. */
  settle(): Promise<void>;
}

/** Options of {@link createTimeline}. */
export interface TimelineOptions {
  /** The wall clocks at the start, epoch ms. Default 2026-01-01T00:00:00Z. */
  readonly startWallMs?: number;
  /** Called after each timer and what it brought about: the place to check invariants. */
  readonly onStep?: () => void;
  /** Nothing but promises and timers of these clocks takes part, no I/O of any kind: then steps are half as dear. Default false. */
  readonly promisesOnly?: boolean;
}

/** A clock as the timeline drives it. */
interface Driven {
  readonly timers: number;
  readonly isDead: boolean;
  /** The timer that fires next. */
  next(): Due | undefined;
  fire(timer: Timer): void;
}

/** A timer, and the true time at which it fires. */
interface Due {
  readonly timer: Timer;
  readonly atMs: number;
}

/** Makes true time. */
export function createTimeline(options: TimelineOptions = {}): Timeline {
  const { startWallMs = Date.UTC(2026, 0, 1), onStep = () => {}, promisesOnly = false } = options;
  let clocks: Driven[] = [];
  let nowMs = 0;
  let armed = 0;
  let steps = 0;

  function settle(): Promise<void> {
    steps += 1;
    return promisesOnly && steps % stepsPerTurn > 0 ? settleQuickly() : settlePromises();
  }

  function nextDue(): (Due & { readonly on: Driven }) | undefined {
    let next: Due | undefined;
    let nextOn: Driven | undefined;
    let firstMs = Number.POSITIVE_INFINITY;
    let dead = 0;
    for (const on of clocks) {
      if (on.isDead) dead += 1;
      const due = on.next();
      if (!due) continue;
      const atMs = Math.max(due.atMs, nowMs);
      if (atMs > firstMs || (atMs === firstMs && next && next.timer.order < due.timer.order)) continue;
      next = due;
      nextOn = on;
      firstMs = atMs;
    }
    if (dead > 0) clocks = clocks.filter(({ isDead }) => !isDead);
    return next && nextOn && { on: nextOn, timer: next.timer, atMs: firstMs };
  }

  /** Runs timers up to `untilMs`; true as soon as `isDone`. */
  async function run(untilMs: number, isDone: () => boolean): Promise<boolean> {
    await settle();
    for (;;) {
      if (isDone()) return true;
      const due = nextDue();
      if (!due || due.atMs > untilMs) return false;
      nowMs = due.atMs;
      due.on.fire(due.timer);
      await settle();
      onStep();
    }
  }

  const timeline: Timeline = {
    get nowMs() {
      return nowMs;
    },
    get timers() {
      return clocks.reduce((count, { timers }) => count + timers, 0);
    },
    clock(clockOptions = {}) {
      const { clock, driven } = createNodeClock(clockOptions, startWallMs, {
        now: () => nowMs,
        order: () => {
          armed += 1;
          return armed;
        },
      });
      clocks.push(driven);
      return clock;
    },
    advance: (ms) => timeline.advanceTo(nowMs + ms),
    async advanceTo(atMs) {
      await run(atMs, () => false);
      nowMs = Math.max(nowMs, atMs);
    },
    async runUntil(condition, limitMs) {
      if (await run(nowMs + limitMs, condition)) return;
      throw new Error(`the condition did not hold within ${limitMs} ms of virtual time`);
    },
    skip(ms) {
      nowMs += ms;
    },
    settle,
  };
  return timeline;
}

interface TrueTime {
  now(): number;
  /** Rises with each timer, so that those of one moment fire in the order of their arming. */
  order(): number;
}

function createNodeClock(
  { rate: initialRate = 1, wallOffsetMs = 0 }: NodeClockOptions,
  startWallMs: number,
  time: TrueTime,
): { readonly clock: NodeClock; readonly driven: Driven } {
  const timers = createTimerQueue();
  let rate = initialRate;
  // At true time `sinceMs`, which a sleeping machine has before it, the monotonic clock shows `monotonicMs`.
  let sinceMs = time.now();
  let monotonicMs = 0;
  let bootSinceMs = sinceMs;
  let bootMs = 0;
  let steppedMs = wallOffsetMs;
  let stalledUntilMs = 0;
  let isDead = false;
  /** Looked for again only after something has changed. */
  let next: Due | "unknown" | undefined;

  const now = (): number => monotonicMs + Math.max(0, time.now() - sinceMs) * rate;
  const boot = (): number => bootMs + (time.now() - bootSinceMs) * rate;
  const wall = (): number => startWallMs + boot() + steppedMs;
  const mark = (): TimeMark => ({ monotonicMs: now(), bootMs: boot(), wallMs: wall() });

  function after(ms: number, run: () => void): CancelTimer {
    const timer: Timer = { dueMs: now() + Math.max(0, ms), order: time.order(), run, cancelled: isDead };
    if (isDead) return () => {};
    timers.add(timer);
    next = "unknown";
    return () => {
      if (timers.remove(timer)) next = "unknown";
    };
  }

  function fire(timer: Timer): void {
    timers.remove(timer);
    next = "unknown";
    // No rounding may make a clock show less than the time that its timer was armed for.
    if (now() < timer.dueMs) {
      monotonicMs = timer.dueMs;
      sinceMs = time.now();
    }
    timer.run();
  }

  const clock: NodeClock = {
    now,
    wall,
    mark,
    elapsedAtLeast: (since) => now() - since.monotonicMs,
    elapsedAtMost: (since) =>
      Math.max(now() - since.monotonicMs, boot() - since.bootMs, wall() - since.wallMs),
    sleep: (ms, signal) => sleepOn(after, ms, signal),
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
    stepWall(ms) {
      steppedMs += ms;
    },
    suspend(ms) {
      monotonicMs = now();
      sinceMs = Math.max(sinceMs, time.now()) + ms;
      next = "unknown";
    },
    stall(ms) {
      stalledUntilMs = Math.max(stalledUntilMs, time.now() + ms);
      next = "unknown";
    },
    setRate(nextRate) {
      monotonicMs = now();
      sinceMs = Math.max(sinceMs, time.now());
      bootMs = boot();
      bootSinceMs = time.now();
      rate = nextRate;
      next = "unknown";
    },
    kill() {
      isDead = true;
      timers.clear();
      next = "unknown";
    },
    get isStalled() {
      return time.now() < Math.max(stalledUntilMs, sinceMs);
    },
    get timers() {
      return timers.size;
    },
  };
  function findNext(): Due | undefined {
    const timer = timers.first();
    return timer && { timer, atMs: Math.max(stalledUntilMs, sinceMs + (timer.dueMs - monotonicMs) / rate) };
  }

  const driven: Driven = {
    get timers() {
      return timers.size;
    },
    get isDead() {
      return isDead;
    },
    fire,
    next() {
      if (next === "unknown") next = findNext();
      return next;
    },
  };
  return { clock, driven };
}

function sleepOn(after: Clock["after"], ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let forget: () => void = () => {};
    const cancel = after(ms, () => {
      forget();
      resolve();
    });
    forget = onAbort(signal, () => {
      cancel();
      reject(new ParallaxError("aborted", "the wait was aborted by its signal", { cause: signal?.reason }));
    });
  });
}

/** A real macrotask runs only once no microtask is left. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A tick also runs only once no microtask is left, if it is asked for from within one, and it costs no turn of the event loop. */
function settleQuickly(): Promise<void> {
  return new Promise((resolve) => {
    // Dearer, as it keeps an async context: queueMicrotask.
    void Promise.resolve().then(() => process.nextTick(resolve));
  });
}

/** So often the event loop gets its turn all the same: whoever runs the tests wants to hear from them. */
const stepsPerTurn = 1000;
