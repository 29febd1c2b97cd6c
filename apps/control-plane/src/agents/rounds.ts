import type { Clock } from "@parallax/core";

export interface RoundsOptions<Item> {
  readonly clock: Clock;
  /** How often each of them is looked at, in ms. */
  readonly everyMs: number;
  /** `lateMs`: how much later than that this look comes. */
  readonly look: (item: Item, lateMs: number) => void;
}

/**
 * Looks at each of many things once in a while, at a slice of them at a time: a look at thousands in one turn of the event loop
 * would hold up everybody else.
 */
export interface Rounds<Item> {
  add(item: Item): void;
  delete(item: Item): void;
  stop(): void;
}

/** In so many slices a round is done. */
const sliceCount = 20;

interface Slice<Item> {
  readonly items: Set<Item>;
  lookedMs: number;
}

export function createRounds<Item>({ clock, everyMs, look }: RoundsOptions<Item>): Rounds<Item> {
  const startMs = clock.now();
  const slices = Array.from(
    { length: sliceCount },
    (_, index): Slice<Item> => ({
      items: new Set(),
      lookedMs: startMs + ((index + 1) * everyMs) / sliceCount - everyMs,
    }),
  );
  let next = 0;
  const stop = clock.every(everyMs / sliceCount, () => {
    const slice = slices[next % sliceCount];
    next += 1;
    if (!slice) return;
    const nowMs = clock.now();
    const lateMs = Math.max(0, nowMs - slice.lookedMs - everyMs);
    slice.lookedMs = nowMs;
    for (const item of slice.items) look(item, lateMs);
  });

  return {
    add(item) {
      let smallest = slices[0];
      for (const slice of slices)
        if (smallest === undefined || slice.items.size < smallest.items.size) smallest = slice;
      smallest?.items.add(item);
    },
    delete(item) {
      for (const { items } of slices) if (items.delete(item)) return;
    },
    stop,
  };
}
