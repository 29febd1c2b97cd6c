import type { SweepRequest } from "./store.ts";
import { type Draft, end, type Moment, type Row, transition } from "./table.ts";

/** The limits of a sweep, in milliseconds of age. Whole numbers, so that Lua and TypeScript agree to the bit. */
export interface SweepLimits {
  /** One missed interval: a beat may be late by half of one before it counts as missed. */
  readonly suspectAfterMs: number;
  /** `unhealthyThreshold` missed intervals. */
  readonly failAfterMs: number;
  /** M2: who is past this when another fails would fail in the same sweep, if sweeps came once an interval. */
  readonly doomedAfterMs: number;
  /** M1: what may lie between two sweeps. Time beyond it was not watched by anybody. */
  readonly watchedGapMs: number;
  /** M1: a gap beyond this means that the store was away. */
  readonly longGapMs: number;
  /** M1: nobody is older than this after a long gap, so that whoever comes back with the store has time to beat. */
  readonly returnAgeMs: number;
}

export function sweepLimits(
  request: Pick<SweepRequest, "checkIntervalMs" | "unhealthyThreshold">,
): SweepLimits {
  const { checkIntervalMs: interval, unhealthyThreshold } = request;
  const suspectAfterMs = Math.floor((interval * 3) / 2);
  const failAfterMs = Math.max(suspectAfterMs, interval * unhealthyThreshold);
  return {
    suspectAfterMs,
    failAfterMs,
    doomedAfterMs: Math.max(suspectAfterMs, failAfterMs - interval),
    watchedGapMs: Math.floor((interval * 6) / 5),
    longGapMs: interval * 2,
    returnAgeMs: failAfterMs - interval,
  };
}

/** What a sweep found besides the transitions, which are in the draft. */
export interface SweepFinding {
  /** False if the store's time was outside of what the sweeper believes (M5): then nothing has changed. */
  readonly swept: boolean;
  readonly shiftedMs: number;
  /** Milliseconds until the next transition falls due if nobody beats; undefined if none will. */
  readonly nextInMs: number | undefined;
}

/** Suspects, fails and removes whoever is due. */
export function sweep(draft: Draft, request: SweepRequest, moment: Moment): SweepFinding {
  const { nowMs } = moment;
  const { notBeforeMs, notAfterMs } = request.believed;
  if (nowMs < notBeforeMs || nowMs > notAfterMs) return { swept: false, shiftedMs: 0, nextInMs: undefined };

  const limits = sweepLimits(request);
  const shiftedMs = amnesty(draft, limits, nowMs);
  const living = [...draft.rows.values()].filter((row) => row.status !== "failed");
  const due = living.filter((row) => ageOf(row, nowMs) >= limits.failAfterMs);
  const doomed = living.filter((row) => ageOf(row, nowMs) >= limits.doomedAfterMs);
  // M2: a majority that falls silent together is rather the network's or the store's doing than its own.
  const isMass = due.length > 0 && doomed.length * 2 > living.length;

  for (const row of longestSilentFirst(draft)) {
    if (row.status === "failed") remove(draft, row, request, nowMs);
    else if (isMass && !row.spared && doomed.includes(row)) spare(draft, row, nowMs);
    else if (due.includes(row)) fail(draft, row, nowMs);
    else if (row.status === "healthy" && ageOf(row, nowMs) >= limits.suspectAfterMs) {
      transition(draft, "suspected", row, { ...row, status: "suspect" });
    }
  }
  return { swept: true, shiftedMs, nextInMs: nextInMs(draft, limits, nowMs) };
}

/**
 * M1: time that no sweep watched is held against nobody. A gap after a steady time is forgiven whole, and leaves everybody
 * an interval in which to beat; while gaps follow each other closely each of them still counts as one watched interval, so
 * that a flapping store does not postpone for ever.
 */
function amnesty(draft: Draft, limits: SweepLimits, nowMs: number): number {
  const gapMs = Math.max(0, nowMs - draft.sweptAtMs);
  const wasSteady = draft.sweptAtMs - Math.min(draft.amnestyAtMs, nowMs) >= limits.failAfterMs;
  const isWhole = gapMs > limits.longGapMs && wasSteady;
  const shiftMs = isWhole ? gapMs : Math.max(0, gapMs - limits.watchedGapMs);
  for (const row of draft.rows.values()) {
    // Nobody is ahead of the store's clock: neither one that beat inside the gap, nor all when that clock was set back.
    const silentMs = nowMs - row.beatAtMs;
    const leastMs = isWhole ? silentMs - limits.returnAgeMs : Number.NEGATIVE_INFINITY;
    const graceMs = Math.min(Math.max(row.graceMs + shiftMs, leastMs), silentMs);
    if (row.status !== "failed" && graceMs !== row.graceMs) draft.rows.set(row.id, { ...row, graceMs });
  }
  draft.sweptAtMs = nowMs;
  draft.amnestyAtMs = isWhole ? nowMs : Math.min(draft.amnestyAtMs, nowMs);
  return shiftMs;
}

function ageOf(row: Row, nowMs: number): number {
  return nowMs - row.beatAtMs - row.graceMs;
}

function longestSilentFirst(draft: Draft): Row[] {
  return [...draft.rows.values()].sort((left, right) => {
    if (left.beatAtMs !== right.beatAtMs) return left.beatAtMs - right.beatAtMs;
    return left.id < right.id ? -1 : 1;
  });
}

function spare(draft: Draft, row: Row, nowMs: number): void {
  const spared: Row = { ...row, spared: true, graceMs: nowMs - row.beatAtMs };
  if (row.status === "healthy") transition(draft, "suspected", row, { ...spared, status: "suspect" });
  else draft.rows.set(row.id, spared);
}

function fail(draft: Draft, row: Row, nowMs: number): void {
  end(draft, row.incarnation, { reason: "failed", by: undefined, atMs: nowMs });
  transition(draft, "failed", row, { ...row, status: "failed", failedAtMs: nowMs });
}

function remove(draft: Draft, row: Row, { removeAfterMs }: SweepRequest, nowMs: number): void {
  if (nowMs - (row.failedAtMs ?? nowMs) >= removeAfterMs) transition(draft, "removed", row, undefined);
}

function nextInMs(draft: Draft, limits: SweepLimits, nowMs: number): number | undefined {
  const waits = [...draft.rows.values()]
    .filter((row) => row.status !== "failed")
    .map((row) => {
      const limitMs = row.status === "healthy" ? limits.suspectAfterMs : limits.failAfterMs;
      return Math.max(0, limitMs - ageOf(row, nowMs));
    });
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
