/** A point in time as the three sources of time saw it. Opaque: made by {@link Clock.mark}, read by the `elapsed` functions. */
export interface TimeMark {
  readonly monotonicMs: number;
  readonly bootMs: number;
  readonly wallMs: number;
}

/** Cancels a timer. Harmless when the timer has fired or was cancelled before. */
export type CancelTimer = () => void;

/**
 * Time, injected everywhere, so that a whole cluster runs on a virtual clock.
 *
 * A monotonic clock stands still while the machine is suspended, and a wall clock jumps when it is corrected. So elapsed
 * time is asked for with the direction in which an error is harmless (T3): whoever may *lose* something counts with
 * {@link Clock.elapsedAtMost}, whoever may *take* something with {@link Clock.elapsedAtLeast}.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  now(): number;
  /** Milliseconds since the Unix epoch, for people and logs; no decision rests on it (T2). */
  wall(): number;
  /** Marks this moment. Take the mark *before* sending what it will be measured against (T1). */
  mark(): TimeMark;
  /** Milliseconds that have passed at least since `mark`: the monotonic difference. */
  elapsedAtLeast(mark: TimeMark): number;
  /** Milliseconds that have passed at most since `mark`: the largest of the monotonic, boot-time and forward wall-clock differences. */
  elapsedAtMost(mark: TimeMark): number;
  /**
   * Resolves after `ms` milliseconds.
   * @throws ParallaxError `aborted` as soon as `signal` aborts; its timer and listener are gone by then.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms` milliseconds. */
  after(ms: number, callback: () => void): CancelTimer;
  /** Calls `callback` every `ms` milliseconds, first after `ms`. */
  every(ms: number, callback: () => void): CancelTimer;
}
