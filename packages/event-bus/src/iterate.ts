import { type IterateOptions, onAbort, ParallaxError } from "@parallax/core";
import type { Delivered, Gap, Subscription } from "./event-bus.ts";

type Item = Delivered | Gap;

/** Where a subscription that catches up asks for room before it reads a page of the log. */
export interface Room {
  /** How many items a page may have. */
  readonly pageLimit: number;
  /** Resolves once a whole page fits, beside those that others have asked room for. What it returns ends the reservation. */
  reserve(): Promise<() => void>;
}

/** @throws ParallaxError `invalid_options` for a limit that lets nothing through, or a policy that is none. */
export function checkIterateOptions({ limit = 1, overflow = "error" }: IterateOptions): void {
  const isLimit = Number.isInteger(limit) && limit > 0;
  if (isLimit && ["error", "drop-oldest", "drop-newest"].includes(overflow)) return;
  throw new ParallaxError(
    "invalid_options",
    `iterating over a topic with limit ${limit} and overflow ${overflow}: the limit has to be a positive whole number, overflow error, drop-oldest or drop-newest`,
  );
}

/** Entries in one page of a back-fill. */
const maxPage = 500;

/**
 * Iterates with a bounded buffer. What finds it full ends the iteration with `overflow`, or, where dropping was chosen, is
 * reported as a gap in its place (E1).
 */
export async function* iterateItems(
  subscribe: (listener: (item: Item) => void, room: Room) => Subscription,
  options: IterateOptions & { readonly closed: AbortSignal; readonly onOverflowGap: () => void },
): AsyncGenerator<Item, void, undefined> {
  const { closed, onOverflowGap, limit = 1024, overflow = "error" } = options;
  // Not `AbortSignal.any`: what it makes from a signal that lives long is kept as long, on Node 20.
  const ending = new AbortController();
  const { signal } = ending;
  const buffer: Item[] = [];
  const dropped = new Map<number, Gap>();
  let failure: ParallaxError | undefined;
  let wake: () => void = () => {};
  const { room, reconsider } = createRoom(limit, () => buffer.length, signal);

  function drop(item: Item | undefined): void {
    if (item) dropped.set(item.partition, overflowGap(dropped.get(item.partition), item));
  }

  /** Oldest dropped: the gap comes before what waits. Newest dropped: after it, and all that arrives until then belongs to it. */
  function next(): Item | undefined {
    const [gap] = dropped.values();
    if (!gap || (overflow === "drop-newest" && buffer.length > 0)) {
      const item = buffer.shift();
      reconsider();
      return item;
    }
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
  }, room);
  const end = (): void => {
    ending.abort();
    wake();
  };
  const forget = [options.signal, closed].map((given) => onAbort(given, end));
  try {
    while (!signal.aborted) {
      const item = next();
      if (item) yield item;
      else if (failure) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    for (const forgetOne of forget) forgetOne();
    ending.abort();
    subscription.close();
    reconsider();
  }
}

/** Room in a buffer; `reconsider` when something was taken out. */
function createRoom(
  limit: number,
  used: () => number,
  signal: AbortSignal,
): { readonly room: Room; readonly reconsider: () => void } {
  const pageLimit = Math.min(maxPage, limit);
  const waiting: (() => void)[] = [];
  let reserved = 0;
  const fits = (): boolean => signal.aborted || used() + reserved + pageLimit <= limit;

  function reconsider(): void {
    if (fits()) waiting.shift()?.();
  }
  return {
    reconsider,
    room: {
      pageLimit,
      async reserve() {
        while (!fits()) await new Promise<void>((resolve) => waiting.push(resolve));
        reserved += pageLimit;
        return () => {
          reserved -= pageLimit;
          reconsider();
        };
      },
    },
  };
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
