import type { Clock } from "@parallax/core";
import type { Stored } from "@parallax/state-store";
import type { StoreTime } from "../store-time.ts";

/** A creation that takes no longer is an ordinary one. */
const ordinaryMs = 1000;

/** X8: how long the submitter of a record that was created at `createdAtMs` waited for a store that was away. */
export function waitBeforeMs({ createdAt }: { readonly createdAt: string }, createdAtMs: number): number {
  const waitedMs = createdAtMs - Date.parse(createdAt);
  return waitedMs > ordinaryMs ? waitedMs : 0;
}

/** The same of a record that nobody has driven yet. */
export function waitOf({ value, version, createdAtMs }: Stored<{ readonly createdAt: string }>): number {
  return version === 1 ? waitBeforeMs(value, createdAtMs) : 0;
}

export interface CountedTimeOptions {
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly checkIntervalMs: number;
  /** The store is back after `ms` that must not count: whatever has a deadline gets them. */
  readonly onOutage: (ms: number) => void;
}

/**
 * X8: store time as far as it counts against deadlines. It stands still while this node does not reach the store, or stands
 * still itself, so that nothing is out of time before its results can be taken. To be told of an answer of the store at least
 * every check interval, or the time between counts as an outage.
 */
export function createCountedTime(options: CountedTimeOptions): StoreTime {
  const { clock, storeTime, checkIntervalMs, onOutage } = options;
  /** Answers come every interval; whoever waits for longer than this has missed one. */
  const tolerableMs = 1.5 * checkIntervalMs;
  let lastMs = clock.now();
  let outageMs = 0;

  function missedMs(): number {
    const silentMs = clock.now() - lastMs;
    return silentMs > tolerableMs ? silentMs - checkIntervalMs : 0;
  }

  function note(missed: number): void {
    lastMs = clock.now();
    outageMs += missed;
    if (missed > 0) onOutage(missed);
  }

  return {
    now: () => storeTime.now() - missedMs(),
    observe(storeTimeMs) {
      // A machine that slept has not seen the time pass in which it did nothing.
      const jumpMs = storeTimeMs - storeTime.now();
      storeTime.observe(storeTimeMs);
      note(missedMs() + (jumpMs > ordinaryMs ? jumpMs : 0));
    },
    outageMs: () => outageMs,
  };
}
