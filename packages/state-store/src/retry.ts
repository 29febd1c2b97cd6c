import { type Backoff, type Clock, createBackoff, isParallaxError, type Random } from "@parallax/core";

/** How long and on what clock something is tried again. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds after which no further attempt begins. */
  readonly timeoutMs: number;
}

/** Codes after which another attempt may succeed: the store was away, or its answer was. */
const passing = ["timeout", "redis_unavailable", "not_replicated"];

/** Whether another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  return passing.some((code) => isParallaxError(error, code));
}

/**
 * Attempts with full jitter between them until one succeeds, one fails for good, or the time is up; then the last error.
 * Only for what may be repeated: reads, and changes that carry a request id (S2).
 */
export async function retrying<Result>(
  attempt: (count: number) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { clock, random, timeoutMs } = options;
  const begun = clock.mark();
  let backoff: Backoff | undefined;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt(count);
    } catch (error) {
      backoff ??= createBackoff({ initialMs: 20, maxMs: 1000, random });
      const waitMs = backoff.next();
      if (!isPassing(error) || clock.elapsedAtMost(begun) + waitMs > timeoutMs) throw error;
      await clock.sleep(waitMs);
    }
  }
}
