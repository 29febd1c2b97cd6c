import { ParallaxError } from "./errors.ts";
import { type Random, systemRandom } from "./random.ts";

/** How the waits of a {@link Backoff} grow. */
export interface BackoffOptions {
  /** The largest first wait in milliseconds. */
  readonly initialMs: number;
  /** No wait is longer than this, in milliseconds. */
  readonly maxMs: number;
  /** How much the bound of the wait grows with each attempt. Default 2. */
  readonly multiplier?: number;
  /** Default: the randomness of this process. */
  readonly random?: Random;
}

/** Waits between attempts that spread many callers evenly. */
export interface Backoff {
  /** The next wait in milliseconds, and the one after it may be longer. */
  next(): number;
  /** Back to the first wait, after something worked. */
  reset(): void;
  /** How many waits were handed out since the start or the last reset. */
  readonly attempts: number;
}

/**
 * Full jitter: each wait is drawn uniformly from 0 to the bound, also once the bound has reached its maximum. Jitter that
 * is applied before the cap puts all callers into step again as soon as they reach it.
 *
 * @throws ParallaxError `invalid_options` for bounds that are no numbers from 0, or a multiplier below 1.
 *
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function createBackoff(options: BackoffOptions): Backoff {
  const { initialMs, maxMs, multiplier = 2, random = systemRandom } = options;
  if (!(initialMs >= 0 && maxMs >= 0 && multiplier >= 1)) {
    const message = `making a backoff of ${initialMs} to ${maxMs} ms, times ${multiplier}: give bounds from 0 and a multiplier from 1`;
    throw new ParallaxError("invalid_options", message);
  }
  let attempts = 0;
  return {
    next() {
      const boundMs = Math.min(maxMs, initialMs * multiplier ** attempts);
      attempts += 1;
      return random.next() * boundMs;
    },
    reset() {
      attempts = 0;
    },
    get attempts() {
      return attempts;
    },
  };
}
