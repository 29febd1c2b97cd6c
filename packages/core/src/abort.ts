import { setMaxListeners } from "node:events";
import { isParallaxError, ParallaxError } from "./errors.ts";
import type { Unsubscribe } from "./listeners.ts";

/** The error with which a wait ends when its signal aborts: code `aborted`, the signal's reason as its cause. */
export function abortError(signal?: AbortSignal): ParallaxError<"aborted"> {
  const reason: unknown = signal?.reason;
  if (isParallaxError(reason, "aborted")) return reason;
  return new ParallaxError("aborted", "the wait was aborted by its signal", { cause: reason });
}

/** @throws ParallaxError `aborted` if `signal` has aborted. */
export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw abortError(signal);
}

/** Calls `callback` once when `signal` aborts, at once if it already has. Returns a function that takes the listener away. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): Unsubscribe {
  if (!signal) return () => {};
  if (signal.aborted) {
    callback();
    return () => {};
  }
  // Many waits on one signal at a time are normal here, and every one of them takes its listener away.
  setMaxListeners(0, signal);
  signal.addEventListener("abort", callback, { once: true });
  return () => signal.removeEventListener("abort", callback);
}
