import { setTimeout as sleep } from "node:timers/promises";

/** Options of {@link eventually}. */
export interface EventuallyOptions {
  /** Default 10 000. */
  readonly timeoutMs?: number;
  /** Default 10. */
  readonly everyMs?: number;
  /** What is waited for, for the error. */
  readonly message?: string;
}

/**
 * Waits until `probe` gives something truthy, and returns it. Errors of the probe count as "not yet"; the last one is the
 * cause of the error when the time is up.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 10_000, everyMs = 10, message = "the condition" } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (isThere(value)) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(everyMs);
  }
  throw new Error(`waited ${timeoutMs} ms for ${message}`, { cause: last });
}

function isThere<T>(value: T): value is Exclude<T, false | null | undefined> {
  return Boolean(value);
}
