import { type IterateOptions, onAbort, ParallaxError } from "@parallax/core";
import type { Delivered, Gap, Subscription } from "./event-bus.ts";

type Item = Delivered | Gap;

/**
 * Iterates with a bounded buffer. What finds it full ends the iteration with `overflow`, or, where dropping was chosen, is
 * reported as a gap in its place (E1).
 */
export async function* iterateItems(
  subscribe: (listener: (item: Item) => void) => Subscription,
  options: IterateOptions & { readonly closed: AbortSignal; readonly onOverflowGap: () => void },
): AsyncGenerator<Item, void, undefined> {
  const { closed, onOverflowGap, limit = 1024, overflow = "error" } = options;
  const signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
  const buffer: Item[] = [];
  const dropped = new Map<number, Gap>();
  let failure: ParallaxError | undefined;
  let wake: () => void = () => {};

  function drop(item: Item | undefined): void {
    if (item) dropped.set(item.partition, overflowGap(dropped.get(item.partition), item));
  }

  /** Oldest dropped: the gap comes before what waits. Newest dropped: after it, and all that arrives until then belongs to it. */
  function next(): Item | undefined {
    const [gap] = dropped.values();
    if (!gap || (overflow === "drop-newest" && buffer.length > 0)) return buffer.shift();
    dropped.delete(gap.partition);
    onOverflowGap();
    return gap;
  }

  const subscription = subscribe((item) => {
    // What came after the loss would look as if nothing was missing.
    if (failure) return;
    const full = buffer.length >= limit;
    if (overflow === "drop-newest" && (full || dropped.size > 0)) drop(item);
    else if (full && overflow === "error") failure = overflowError(limit);
    else {
      if (full) drop(buffer.shift());
      buffer.push(item);
    }
    wake();
  });
  const forget = onAbort(signal, () => wake());
  try {
    while (!signal.aborted) {
      const item = next();
      if (item) yield item;
      else if (failure) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    forget();
    subscription.close();
  }
}

function overflowGap(before: Gap | undefined, item: Item): Gap {
  const { topic, partition, cursor } = item;
  const [from, to] = item.type === "event" ? [item.sequence, item.sequence] : [item.from, item.to];
  return { type: "gap", topic, partition, from: before?.from ?? from, to, reason: "overflow", cursor };
}

function overflowError(limit: number): ParallaxError<"overflow"> {
  const message = `iterating over a topic: more than ${limit} events wait for a consumer that is too slow; raise the limit, or choose what to drop and take the gap`;
  return new ParallaxError("overflow", message, { details: { limit } });
}
