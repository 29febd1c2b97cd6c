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
}

export function createStoreTime(clock: Clock, storeTimeMs: number): StoreTime {
  let offsetMs = storeTimeMs - clock.now();
  return {
    now: () => clock.now() + offsetMs,
    observe(observedMs) {
      offsetMs = observedMs - clock.now();
    },
  };
}
