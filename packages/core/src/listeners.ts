import { errorMessage } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** Called with each event, in order, never concurrently with itself as long as it is synchronous. */
export type Listener<Event> = (event: Event) => void;

/** Takes a listener away: it is not called any more, not even with an event that others are being told. Harmless when called again. */
export type Unsubscribe = () => void;

/** A set of listeners: the primitive under every `subscribe` of these packages. */
export interface Listeners<Event> {
  /** Adds a listener, from the next event on. The same function may be added twice and is then called twice. */
  subscribe(listener: Listener<Event>): Unsubscribe;
  /** Calls every listener. One that throws, or rejects, does not keep the others from being called; its error goes to `onError`. */
  emit(event: Event): void;
  readonly size: number;
}

/**
 * Calls a listener. What it throws, and what the promise of an `async` one is rejected with, goes to `onError`: one listener
 * never harms another, nor whoever calls it.
 */
export function callListener<Event>(
  listener: Listener<Event>,
  event: Event,
  onError: (error: unknown) => void,
): void {
  const call: (event: Event) => unknown = listener;
  try {
    const result = call(event);
    if (result instanceof Promise) result.catch(onError);
  } catch (error) {
    onError(error);
  }
}

/** Makes an `onError` that never throws nor rejects: what is wrong with it goes to the log. */
export function safeOnError(onError: (error: unknown) => void, logger: Logger): (error: unknown) => void {
  return (error) =>
    callListener(onError, error, (another) =>
      logger.error("an onError has thrown", { error: errorMessage(error), another: errorMessage(another) }),
    );
}

/** Makes a set of listeners. `onError` receives what a listener throws or rejects with, and should not throw itself. */
export function createListeners<Event>(onError: (error: unknown) => void): Listeners<Event> {
  const entries = new Set<{ readonly listener: Listener<Event> }>();
  return {
    subscribe(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => {
        entries.delete(entry);
      };
    },
    emit(event) {
      for (const entry of [...entries]) {
        if (entries.has(entry)) callListener(entry.listener, event, onError);
      }
    },
    get size() {
      return entries.size;
    },
  };
}
