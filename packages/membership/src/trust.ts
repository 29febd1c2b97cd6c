import type { SweepRequest } from "./store.ts";

/** The store's time in one answer, and when by the own monotonic clock the request left and the answer came, in ms. */
export interface Reading {
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly storeTimeMs: number;
}

/** How far two readings of the store's clock may differ from the own clock before neither is believed (T3). */
const agreementMs = 1000;

/** Whether this node may judge others (M5). */
export interface Trust {
  /** Takes a reading in. */
  read(reading: Reading): void;
  /** Takes in by how much a timer of ours came late. */
  late(byMs: number): void;
  /**
   * The span of store time in which a sweep that is sent now and given up after `deadlineMs` may act; undefined while this
   * node's loop, its way to the store, or one of the two clocks is off.
   */
  believed(nowMs: number, deadlineMs: number): SweepRequest["believed"] | undefined;
}

/** A node trusts itself again as soon as the newest reading and the last timer are good. */
export function createTrust(checkIntervalMs: number): Trust {
  const slowMs = checkIntervalMs / 2;
  let last: Reading | undefined;
  let agreed = false;
  let lateMs = 0;

  return {
    read(reading) {
      agreed = last !== undefined && agree(last, reading);
      last = reading;
    },
    late(byMs) {
      lateMs = byMs;
    },
    believed(nowMs, deadlineMs) {
      if (!last || !agreed || lateMs > slowMs || last.receivedMs - last.sentMs > slowMs) return undefined;
      return {
        notBeforeMs: Math.floor(last.storeTimeMs + (nowMs - last.receivedMs) - agreementMs),
        notAfterMs: Math.ceil(last.storeTimeMs + (nowMs - last.sentMs) + deadlineMs + agreementMs),
      };
    },
  };
}

/** T3: both clocks saw the same time pass, as far as the ways of the two requests let it be known. */
function agree(first: Reading, second: Reading): boolean {
  const passedMs = second.storeTimeMs - first.storeTimeMs;
  const leastMs = second.sentMs - first.receivedMs;
  const mostMs = second.receivedMs - first.sentMs;
  return passedMs >= leastMs - agreementMs && passedMs <= mostMs + agreementMs;
}
