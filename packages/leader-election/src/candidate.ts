import type { Clock, TimeMark } from "@parallax/core";
import type { AcquireBasis, LeaseReading, LeaseRecord } from "./store.ts";

/** The rules of one candidate. */
export interface CandidateRules {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly leaseDurationMs: number;
  /** By how much the store's clock and ours may differ over a span and still be believed (T3). */
  readonly clockToleranceMs: number;
  readonly onMissingRecord: "acquire" | "wait";
  readonly priority: number;
}

interface Sample {
  readonly reading: LeaseReading;
  readonly receivedAt: TimeMark;
  readonly roundTripMs: number;
}

/** What a candidate remembers of its looks at the store. */
export interface CandidateState {
  readonly latest: Sample | undefined;
  /** When this very record, or its absence, was first seen: after it was written, so a wait from here is long enough (T3). */
  readonly firstSight: TimeMark | undefined;
  /** The last look before `firstSight`, and so before the record was written. Undefined if there is none to compare with. */
  readonly before: Sample | undefined;
  /** Whether the store's clock went as ours from `before` until `latest`: over the whole time that the record exists. */
  readonly believesStoreTime: boolean;
  /** Whether this process ever saw a record: then its absence is a loss (L2). */
  readonly sawRecord: boolean;
  /** The highest term seen: ours will be above it even if the store loses it (L1). */
  readonly highestTerm: number;
  readonly termsGranted: number;
}

/** What to do next. `look` reads again after a while that is never longer than one lease. */
export type CandidateStep =
  | {
      readonly step: "take";
      readonly basis: AcquireBasis;
      readonly expected: { readonly term: number; readonly renewal: number } | undefined;
      readonly lineage: string;
    }
  /** The record is missing, which is a loss: mark it, so that the wait is for this very one. */
  | { readonly step: "mark-loss" }
  /** A lease of our own that we know nothing of: an acquisition whose answer got lost. */
  | { readonly step: "drop-ghost"; readonly term: number }
  | { readonly step: "look"; readonly afterMs: number };

/** A candidate that has seen nothing yet. */
export const newCandidate: CandidateState = {
  latest: undefined,
  firstSight: undefined,
  before: undefined,
  believesStoreTime: false,
  sawRecord: false,
  highestTerm: 0,
  termsGranted: 0,
};

/** What identifies a sight: any difference starts the wait anew. */
function isSameSight(one: LeaseReading, other: LeaseReading): boolean {
  return (
    one.lineage === other.lineage &&
    one.record?.term === other.record?.term &&
    one.record?.renewal === other.record?.renewal &&
    one.record?.state === other.record?.state &&
    one.record?.lineage === other.record?.lineage
  );
}

/**
 * Whether the store's clock went as ours between two looks, of which the later was received just now (T3). The true span
 * lies between the own one without the later round trip and the own one with the earlier.
 */
function agrees(
  earlier: Sample,
  later: Sample,
  clock: Pick<Clock, "elapsedAtLeast">,
  toleranceMs: number,
): boolean {
  if (earlier.reading.storeRunId !== later.reading.storeRunId) return false;
  const storeMs = later.reading.storeTimeMs - earlier.reading.storeTimeMs;
  const ownMs = clock.elapsedAtLeast(earlier.receivedAt);
  return (
    storeMs <= ownMs - later.roundTripMs + toleranceMs && storeMs >= ownMs + earlier.roundTripMs - toleranceMs
  );
}

/**
 * Whether the store's clock went as the holder's between the two renewals that two looks showed. Who may take something
 * minds only a clock that went too slowly: it would have written the later one's expiry too early (T3).
 */
function renewedAlike(earlier: LeaseReading, later: LeaseReading, toleranceMs: number): boolean {
  const [before, after] = [earlier.record, later.record];
  if (!before || !after || before.term !== after.term || before.state !== "held") return false;
  const writtenAtMs = (record: LeaseRecord): number => record.expiresAtMs - record.leaseDurationMs;
  const storeMs = writtenAtMs(after) - writtenAtMs(before);
  return storeMs >= after.heldForMs - before.heldForMs - toleranceMs;
}

/** Takes in a reading that was received just now, after a round trip of at most `roundTripMs`. */
export function observe(
  state: CandidateState,
  reading: LeaseReading,
  roundTripMs: number,
  clock: Pick<Clock, "elapsedAtLeast" | "mark">,
  rules: Pick<CandidateRules, "clockToleranceMs">,
): CandidateState {
  const latest: Sample = { reading, receivedAt: clock.mark(), roundTripMs };
  const previous = state.latest;
  const isSame = previous !== undefined && isSameSight(previous.reading, reading);
  const before = isSame ? state.before : previous;
  const wentAlike = (earlier: Sample | undefined): boolean =>
    earlier !== undefined && agrees(earlier, latest, clock, rules.clockToleranceMs);
  return {
    latest,
    firstSight: isSame ? state.firstSight : latest.receivedAt,
    before,
    // B1: a step before the first look at this record would go unseen, so the span begins with a look at its predecessor.
    believesStoreTime:
      (!isSame || state.believesStoreTime) &&
      wentAlike(previous) &&
      wentAlike(before) &&
      before !== undefined &&
      renewedAlike(before.reading, reading, rules.clockToleranceMs),
    sawRecord: state.sawRecord || reading.record !== undefined,
    highestTerm: Math.max(state.highestTerm, reading.record?.term ?? 0),
    termsGranted: Math.max(state.termsGranted, reading.record?.termsGranted ?? 0),
  };
}

/** Decides what to do after the latest look (L2). */
export function nextCandidateStep(
  state: CandidateState,
  rules: CandidateRules,
  clock: Pick<Clock, "elapsedAtLeast">,
): CandidateStep {
  if (!state.latest || !state.firstSight) return { step: "look", afterMs: 0 };
  const { record, lineage, storeTimeMs, storeRemembersMs } = state.latest.reading;
  const expected = record && { term: record.term, renewal: record.renewal };
  const take = (basis: AcquireBasis): CandidateStep => ({ step: "take", basis, expected, lineage });

  // T3: who may take something counts the least time that can have passed.
  const waitMs = Math.max(rules.leaseDurationMs, record?.leaseDurationMs ?? 0);
  const leftToWaitMs = waitMs - clock.elapsedAtLeast(state.firstSight);
  const look = (afterMs: number): CandidateStep => ({
    step: "look",
    afterMs: Math.max(0, Math.min(afterMs, leftToWaitMs, rules.leaseDurationMs)),
  });

  if (record?.state === "held" && record.incarnation === rules.incarnation) {
    return { step: "drop-ghost", term: record.term };
  }
  if (!record) {
    const mayBeFirst = rules.onMissingRecord === "acquire" && !state.sawRecord;
    return mayBeFirst && storeRemembersMs > rules.leaseDurationMs ? take("vacant") : { step: "mark-loss" };
  }
  if (leftToWaitMs <= 0) return take("waited");
  // B2: a record from before a fail-over or a restart says nothing about now, and neither does a placeholder.
  if (record.lineage !== lineage) return look(leftToWaitMs);
  if (record.state !== "held") {
    const isReserved = record.reservedFor !== undefined && record.reservedFor !== rules.nodeId;
    const reservedMs = isReserved ? record.reservedUntilMs - storeTimeMs : 0;
    return reservedMs > 0 ? look(reservedMs) : take("tombstone");
  }
  const heldMs = record.expiresAtMs - storeTimeMs;
  if (heldMs > 0) return look(heldMs);
  return state.believesStoreTime ? take("expired") : look(leftToWaitMs);
}

/** Whether to ask the holder for the lease: our priority is above all others', and we were there for a whole lease. */
export function shouldChallenge(
  state: CandidateState,
  rules: Pick<CandidateRules, "priority" | "leaseDurationMs">,
  candidateForMs: number,
): boolean {
  const record = state.latest?.reading.record;
  if (record?.state !== "held" || candidateForMs < rules.leaseDurationMs) return false;
  return rules.priority > Math.max(record.priority, record.challenger?.priority ?? record.priority);
}
