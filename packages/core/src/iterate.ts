import { onAbort } from "./abort.ts";
import { ParallaxError } from "./errors.ts";
import type { Listener, Unsubscribe } from "./listeners.ts";

/** What happens to an event that finds the buffer full. */
export type OverflowPolicy = "error" | "drop-oldest" | "drop-newest";

/** Options of {@link iterate}. */
export interface IterateOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** How many events may wait for the consumer. Default 1024. */
  readonly limit?: number;
  /** Default `error`: a consumer that is too slow is told, and nothing is lost in silence. */
  readonly overflow?: OverflowPolicy;
}

/**
 * An async iterator over a `subscribe` function, with a bounded buffer. It subscribes when the loop begins, and leaving the
 * loop unsubscribes. What came before an `overflow` is delivered before the error, and nothing that came after it.
 *
 * @throws ParallaxError `overflow` from the iterator when the buffer is full and the policy is `error`.
 * @example
 * for await (const event of iterate((listener) => election.subscribe(listener), { signal })) { … }
 */
export async function* iterate<Event>(
  subscribe: (listener: Listener<Event>) => Unsubscribe,
  options: IterateOptions = {},
): AsyncGenerator<Event, void, undefined> {
  const { signal, limit = 1024, overflow = "error" } = options;
  const buffer: Event[] = [];
  let failure: ParallaxError | undefined;
  let wake: () => void = () => {};

  const unsubscribe = subscribe((event) => {
    // After a hole nothing may follow as if there were none.
    if (failure) return;
    if (buffer.length < limit) buffer.push(event);
    else if (overflow === "drop-oldest") {
      buffer.shift();
      buffer.push(event);
    } else if (overflow === "error") failure = overflowError(limit);
    wake();
  });
  const forget = onAbort(signal, () => wake());
  try {
    while (!signal?.aborted) {
      if (buffer.length > 0) yield* buffer.splice(0, 1);
      else if (failure) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    forget();
    unsubscribe();
  }
}

function overflowError(limit: number): ParallaxError<"overflow"> {
  const message = `iterating over events: more than ${limit} wait for a consumer that is too slow; raise the limit or choose what to drop`;
  return new ParallaxError("overflow", message, { details: { limit } });
}
