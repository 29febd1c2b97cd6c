import type { Clock } from "@parallax/core";

/**
 * What the store's clock shows now, as far as its last answers tell. Deadlines that an adopter must agree on are in store
 * time (T2); between answers this node's monotonic clock carries it on.
 */
export interface StoreTime {
  /** Store time in epoch ms. */
  now(): number;
  /** An answer of the store said that it is `storeTimeMs` there. */
  observe(storeTimeMs: number): void;
  /** For how long in all the store was away, as far as somebody watches it; in ms. */
  outageMs(): number;
}

export function createStoreTime(clock: Clock, storeTimeMs: number): StoreTime {
  let offsetMs = storeTimeMs - clock.now();
  return {
    now: () => clock.now() + offsetMs,
    observe(observedMs) {
      offsetMs = observedMs - clock.now();
    },
    outageMs: () => 0,
  };
}
