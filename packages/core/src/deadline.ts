import { abortError, onAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { ParallaxError } from "./errors.ts";
import type { Unsubscribe } from "./listeners.ts";

/** The bound of {@link withDeadline}. */
export interface DeadlineOptions {
  readonly clock: Clock;
  /** Milliseconds until the wait is given up. */
  readonly timeoutMs: number;
  /** What is being waited for, as the subject of the error's message: "renewing the lease". */
  readonly what: string;
  /** Ends the wait early. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for `work`, but no longer than its deadline.
 *
 * The work itself is not stopped: after `timeout` its outcome is *unknown*, not "failed" (L3). A later rejection of the
 * abandoned work is observed here, so that it never becomes an unhandled rejection.
 *
 * @throws ParallaxError `timeout` once `timeoutMs` have passed, `aborted` once `signal` has aborted.
 */
export function withDeadline<T>(work: Promise<T>, options: DeadlineOptions): Promise<T> {
  const { clock, timeoutMs, what, signal } = options;
  return new Promise((resolve, reject) => {
    let forget: Unsubscribe = () => {};
    const cancel = clock.after(timeoutMs, () => {
      const message = `${what} took longer than ${timeoutMs} ms; its outcome is unknown, so check before repeating it`;
      finish(() => reject(new ParallaxError("timeout", message, { details: { timeoutMs } })));
    });
    function finish(settle: () => void): void {
      cancel();
      forget();
      settle();
    }
    forget = onAbort(signal, () => finish(() => reject(abortError(signal))));
    work.then(
      (value) => finish(() => resolve(value)),
      (error: unknown) => finish(() => reject(error)),
    );
  });
}
