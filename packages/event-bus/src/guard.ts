import type { Listener, Logger } from "@parallax/core";

/**
 * Calls a listener. What it throws, and what the promise of an `async` one is rejected with, goes to `onError`: one listener
 * never harms another.
 */
export function callGuarded<Value>(
  listener: Listener<Value>,
  value: Value,
  onError: (error: unknown) => void,
): void {
  const call: (value: Value) => unknown = listener;
  try {
    const result = call(value);
    if (result instanceof Promise) result.catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** Makes an `onError` that never throws itself. */
export function safeOnError(onError: (error: unknown) => void, logger: Logger): (error: unknown) => void {
  return (error) => {
    callGuarded(onError, error, (another) => {
      logger.error("the onError of an event bus has thrown", { error, another });
    });
  };
}
