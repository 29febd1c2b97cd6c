import type { Clock } from "./clock.ts";
import { ParallaxError } from "./errors.ts";

/** The bound of {@link withDeadline}. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** Milliseconds until the wait is given up. */
  readonly timeoutMs: number;
  /** What is being waited for, as the subject of the error's message: "renewing the lease". */
  readonly what: string;
}

/**
 * Waits for `work`, but no longer than its deadline.
 *
 * The work itself is not stopped: after `timeout` its outcome is *unknown*, not "failed" (L3). A later rejection of the
 * abandoned work is observed here, so that it never becomes an unhandled rejection.
 *
 * @throws ParallaxError `timeout` once `timeoutMs` have passed.
 */
export async function withDeadline<T>(work: Promise<T>, options: DeadlineOptions): Promise<T> {
  const { clock, timeoutMs, what } = options;
  let cancel: (() => void) | undefined;
  const expiry = new Promise<never>((_, reject) => {
    cancel = clock.after(timeoutMs, () => {
      const message = `${what} took longer than ${timeoutMs} ms; its outcome is unknown, so check before repeating it`;
      reject(new ParallaxError("timeout", message, { details: { timeoutMs } }));
    });
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    cancel?.();
  }
}
