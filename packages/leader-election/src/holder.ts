import type { Clock, TimeMark } from "@parallax/core";
import type { TermEnd } from "./election.ts";
import type { LeaseReading, RenewOutcome } from "./store.ts";

/** The rules of one holder. */
export interface HolderRules {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly callTimeoutMs: number;
  readonly abortMarginMs: number;
  /** Replicas that must acknowledge a write before it counts. */
  readonly replicas: number;
  readonly priority: number;
}

/** What a holder knows about its term. */
export interface HolderState {
  readonly term: number;
  readonly grantedAt: TimeMark;
  /** When the last attempt began. */
  readonly attemptedAt: TimeMark;
  /** How long the term had been held at most by then. It only ever rises, whatever the clocks do. */
  readonly heldForMs: number;
  /** The mark before the last request that was acknowledged (T1, L3). Undefined until one counts. */
  readonly confirmedAt: TimeMark | undefined;
  /** What the last answer showed. */
  readonly seen: { readonly renewal: number; readonly lineage: string };
  readonly ending: Ending | undefined;
  /** Set once and for ever when validity is lost: a late acknowledgement does not bring a term back. */
  readonly isInvalid: boolean;
  /** Whether the record may still be ours. */
  readonly mayBeOurs: boolean;
  readonly hasOverrun: boolean;
}

/** Why and since when a term is being given up. */
export interface Ending {
  readonly reason: TermEnd;
  readonly at: TimeMark;
  /** The node that may take the lease first. */
  readonly to: string | undefined;
}

/** What to do next. */
export type HolderStep =
  | { readonly step: "start" }
  | { readonly step: "renew"; readonly reassert: boolean; readonly timeoutMs: number }
  | { readonly step: "wait"; readonly ms: number }
  | { readonly step: "end"; readonly reason: TermEnd }
  /** The lease may be another's before the work has ended. */
  | { readonly step: "overrun" }
  | { readonly step: "release" }
  | { readonly step: "leave" };

type HolderClock = Pick<Clock, "elapsedAtLeast" | "elapsedAtMost">;

/** The state after a grant. `sentAt` was marked before the request for it was sent (T1). */
export function newHolder(
  grant: { readonly term: number; readonly reading: LeaseReading; readonly replicas: number },
  sentAt: TimeMark,
  rules: Pick<HolderRules, "replicas">,
): HolderState {
  return {
    term: grant.term,
    grantedAt: sentAt,
    attemptedAt: sentAt,
    heldForMs: 0,
    confirmedAt: grant.replicas >= rules.replicas ? sentAt : undefined,
    seen: { renewal: grant.reading.record?.renewal ?? 0, lineage: grant.reading.lineage },
    ending: undefined,
    isInvalid: false,
    mayBeOurs: true,
    hasOverrun: false,
  };
}

/** L3: how long the term is still certainly ours. */
export function holderRemainingMs(
  state: HolderState,
  rules: Pick<HolderRules, "renewDeadlineMs">,
  clock: Pick<Clock, "elapsedAtMost">,
): number {
  if (state.isInvalid || !state.confirmedAt) return 0;
  return rules.renewDeadlineMs - clock.elapsedAtMost(state.confirmedAt);
}

/** The term is to be given up. The first reason stays. */
export function endHolder(state: HolderState, ending: Ending): HolderState {
  const isInvalid = state.isInvalid || ending.reason === "deadline";
  return { ...state, isInvalid, ending: state.ending ?? ending };
}

/** A renewal is being sent. */
export function renewalSent(
  state: HolderState,
  sentAt: TimeMark,
  clock: Pick<Clock, "elapsedAtMost">,
): HolderState {
  // Summed up, for a wall clock that steps ahead and back would hide time from a difference.
  const heldForMs = state.heldForMs + Math.ceil(clock.elapsedAtMost(state.attemptedAt));
  return { ...state, attemptedAt: sentAt, heldForMs };
}

/** A renewal was answered. `sentAt` is its own mark, `now` this moment's. An error or a time-out changes nothing (L3). */
export function renewalAnswered(
  state: HolderState,
  outcome: RenewOutcome,
  sentAt: TimeMark,
  now: TimeMark,
  rules: HolderRules,
  clock: HolderClock,
): HolderState {
  if (outcome.outcome === "lost") {
    const reason = outcome.reading.record?.state === "deposed" ? "deposed" : "superseded";
    const lost = { ...state, isInvalid: true, mayBeOurs: false };
    return endHolder(lost, { reason, at: now, to: undefined });
  }
  const { lineage, record } = outcome.reading;
  const next = { ...state, seen: { renewal: record?.renewal ?? 0, lineage } };
  // L3: what the replicas have not acknowledged, a fail-over can take back.
  if (outcome.replicas < rules.replicas) return next;
  // L3: a term that was invalid for a moment stays so, also when the answer that would have saved it comes now.
  const wasValid = state.confirmedAt === undefined || holderRemainingMs(state, rules, clock) > 0;
  const confirmed = { ...next, confirmedAt: sentAt };
  if (!wasValid)
    return endHolder({ ...confirmed, isInvalid: true }, { reason: "deadline", at: now, to: undefined });
  const challenger = record?.challenger;
  if (challenger === undefined || challenger.priority <= rules.priority) return confirmed;
  return endHolder(confirmed, { reason: "stepped-down", at: now, to: challenger.nodeId });
}

/** Decides what to do next. `isHinted`: something changed at the store, so look soon. */
export function nextHolderStep(
  state: HolderState,
  work: "not-started" | "running" | "done",
  isHinted: boolean,
  rules: HolderRules,
  clock: HolderClock,
): HolderStep {
  if (state.ending) return nextEndingStep(state, state.ending, work, rules, clock);
  const validFrom = state.confirmedAt ?? state.grantedAt;
  const leftMs = rules.renewDeadlineMs - clock.elapsedAtMost(validFrom) - rules.abortMarginMs;
  if (leftMs <= 0) return { step: "end", reason: "deadline" };
  if (work === "not-started" && state.confirmedAt) return { step: "start" };

  // Hints may come in storms; a tenth of the period bounds what they cost.
  const periodMs = isHinted ? rules.retryPeriodMs / 10 : rules.retryPeriodMs;
  const dueInMs = periodMs - clock.elapsedAtLeast(state.attemptedAt);
  if (dueInMs > 0) return { step: "wait", ms: Math.min(dueInMs, leftMs) };
  const timeoutMs = Math.min(rules.callTimeoutMs, leftMs);
  return { step: "renew", reassert: state.confirmedAt !== undefined, timeoutMs };
}

/** L4: go on renewing while the work drains, at most for a renew deadline; only then release. */
function nextEndingStep(
  state: HolderState,
  ending: Ending,
  work: "not-started" | "running" | "done",
  rules: HolderRules,
  clock: HolderClock,
): HolderStep {
  if (work !== "running") return { step: state.mayBeOurs ? "release" : "leave" };

  const endingForMs = clock.elapsedAtLeast(ending.at);
  // Early enough for an exit to be over before another leads, though the timer be late.
  const marginMs = (rules.leaseDurationMs - rules.renewDeadlineMs) / 10;
  const leaseLeftMs = holderLeaseLeftMs(state, rules, clock) - marginMs;
  if (leaseLeftMs <= 0 && !state.hasOverrun) return { step: "overrun" };

  const mayRenewForMs = state.mayBeOurs ? rules.renewDeadlineMs - endingForMs : 0;
  if (mayRenewForMs > 0) {
    const dueInMs = rules.retryPeriodMs - clock.elapsedAtLeast(state.attemptedAt);
    if (dueInMs > 0) return { step: "wait", ms: dueInMs };
    const reassert = holderRemainingMs(state, rules, clock) > 0;
    return { step: "renew", reassert, timeoutMs: rules.callTimeoutMs };
  }
  return { step: "wait", ms: state.hasOverrun ? rules.leaseDurationMs : leaseLeftMs };
}

/** How long, at least, nobody else may take the lease. After a loss that the store reported: what L4 leaves the work. */
export function holderLeaseLeftMs(
  state: HolderState,
  rules: Pick<HolderRules, "leaseDurationMs" | "renewDeadlineMs">,
  clock: Pick<Clock, "elapsedAtMost">,
): number {
  if (state.ending && !state.mayBeOurs) {
    return rules.leaseDurationMs - rules.renewDeadlineMs - clock.elapsedAtMost(state.ending.at);
  }
  return rules.leaseDurationMs - clock.elapsedAtMost(state.confirmedAt ?? state.grantedAt);
}
