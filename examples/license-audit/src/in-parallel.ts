import { setMaxListeners } from "node:events";
import { throwIfAborted } from "@parallax/core";

/** What {@link inParallel} needs to know besides the items. */
export interface ParallelOptions {
  /** At most so many calls are under way at once. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls `work` for every item, at most `limit` at a time, and gives the results in the order of the items. The first failure
 * aborts the signal of the others and is what the promise rejects with, once all have ended.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  { limit, signal }: ParallelOptions,
  work: (item: Item, signal: AbortSignal, index: number) => Promise<Result>,
): Promise<Result[]> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  // Every lane listens to it: `limit` bounds the listeners, not the ten that Node takes for a leak.
  setMaxListeners(0, either);
  const results = new Map<number, Result>();
  const queue = items.entries();
  // The lanes share one iterator: whoever is free takes the next item.
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      throwIfAborted(either);
      results.set(index, await work(item, either, index));
    }
  };
  const lanes = Array.from({ length: Math.min(limit, items.length) }, () =>
    lane().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  const ends = await Promise.allSettled(lanes);
  if (ends.some(({ status }) => status === "rejected")) throw failed.signal.reason;
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
