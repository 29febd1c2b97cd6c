import type { Clock } from "@parallax/core";
import type { EventBusStats } from "./event-bus.ts";

/** Buckets grow by 5 %, so a quantile is off by at most that. From 10 µs to over two minutes. */
const growth = 1.05;
const smallestMs = 0.01;
const buckets = 340;

const sliceMs = 60_000;
const slices = 5;

/** Samples of the last minutes, in bounded memory. */
export interface LatencyWindow {
  add(ms: number): void;
  /** `count` and `sumMs` since the start, as a Prometheus summary has them; quantiles over the last five minutes. */
  summary(): EventBusStats["syncLatencyMs"];
}

interface Slice {
  readonly startedAt: number;
  readonly counts: Uint32Array;
}

function bucketOf(ms: number): number {
  if (ms <= smallestMs) return 0;
  return Math.min(buckets - 1, Math.ceil(Math.log(ms / smallestMs) / Math.log(growth)));
}

/** A sliding window: one histogram a minute, the last five of them. */
export function createLatencyWindow(clock: Clock): LatencyWindow {
  let window: Slice[] = [];
  let count = 0;
  let sumMs = 0;

  function current(): Slice {
    const now = clock.now();
    window = window.filter((slice) => now - slice.startedAt < slices * sliceMs);
    const last = window.at(-1);
    if (last && now - last.startedAt < sliceMs) return last;
    const slice = { startedAt: now, counts: new Uint32Array(buckets) };
    window.push(slice);
    return slice;
  }

  function quantile(q: number): number {
    current();
    const totals = new Float64Array(buckets);
    let inWindow = 0;
    for (const { counts } of window) {
      for (const [index, amount] of counts.entries()) {
        totals[index] = (totals[index] ?? 0) + amount;
        inWindow += amount;
      }
    }
    if (inWindow === 0) return Number.NaN;
    let left = Math.max(1, Math.ceil(q * inWindow));
    const found = totals.findIndex((amount) => {
      left -= amount;
      return left <= 0;
    });
    return smallestMs * growth ** found;
  }

  return {
    add(ms) {
      const bounded = Math.max(0, ms);
      const { counts } = current();
      const bucket = bucketOf(bounded);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count += 1;
      sumMs += bounded;
    },
    summary: () => ({ count, sumMs, quantile }),
  };
}
