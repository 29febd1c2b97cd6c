import { setImmediate as nextTurn } from "node:timers/promises";

/** So many samples are worked through at a time: a millisecond or so. */
const sliceSize = 500;

/**
 * Counts samples, and after each slice of them returns a pause to wait for, in which everything else has its turn on the
 * event loop: a scrape of thousands of series must not hold up a heartbeat.
 */
export function createPauses(): (samples?: number) => Promise<void> | undefined {
  let since = 0;
  return (samples = 1) => {
    since += samples;
    if (since < sliceSize) return undefined;
    since = 0;
    return nextTurn();
  };
}
