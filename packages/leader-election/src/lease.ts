import { ParallaxError } from "@parallax/core";
import type {
  AcquireRequest,
  Holder,
  LeaseReading,
  LeaseRecord,
  ReleaseRequest,
  RenewRequest,
} from "./store.ts";

/**
 * The rules of the lease on the store's side, as pure functions from what the store holds to what it holds next.
 * `undefined` means that nothing changes. The Redis scripts are these functions in Lua, and a test holds them to it.
 */

/** Terms are store times at first and rise by one from there, so that a lost record never takes them back (L1). */
function nextTerm(reading: LeaseReading, aboveTerm: number): number {
  return Math.max((reading.record?.term ?? 0) + 1, Math.floor(reading.storeTimeMs), aboveTerm + 1);
}

/** The record of a new term, or undefined if the basis does not hold (L2). */
export function acquireLease(reading: LeaseReading, request: AcquireRequest): LeaseRecord | undefined {
  if (!mayAcquire(reading, request)) return undefined;
  return {
    nodeId: request.nodeId,
    incarnation: request.incarnation,
    term: nextTerm(reading, request.aboveTerm),
    renewal: 1,
    heldForMs: 0,
    state: "held",
    expiresAtMs: reading.storeTimeMs + request.leaseDurationMs,
    leaseDurationMs: request.leaseDurationMs,
    lineage: reading.lineage,
    priority: request.priority,
    reservedFor: undefined,
    reservedUntilMs: 0,
    termsGranted: Math.max(reading.record?.termsGranted ?? 0, request.termsGranted) + 1,
    challenger: undefined,
  };
}

function mayAcquire(reading: LeaseReading, request: AcquireRequest): boolean {
  const { record, storeTimeMs } = reading;
  const { basis, expected } = request;
  // L2: whatever the candidate concluded, it concluded it about this lineage and this record.
  if (request.lineage !== reading.lineage) return false;
  if (record?.term !== expected?.term || record?.renewal !== expected?.renewal) return false;
  if (basis === "waited") return true;
  if (basis === "vacant") return record === undefined && reading.storeRemembersMs > request.leaseDurationMs;
  if (record === undefined || record.lineage !== reading.lineage) return false;
  if (basis === "expired") return record.state === "held" && storeTimeMs >= record.expiresAtMs;
  const reservedForAnother =
    record.reservedFor !== undefined &&
    record.reservedFor !== request.nodeId &&
    storeTimeMs < record.reservedUntilMs;
  return record.state !== "held" && !reservedForAnother;
}

/** The placeholder for a lost record, or undefined if there is a record. It is of no lineage, so nobody believes it. */
export function markLoss(reading: LeaseReading, termsGranted: number): LeaseRecord | undefined {
  if (reading.record) return undefined;
  return {
    nodeId: "",
    incarnation: "",
    term: 0,
    renewal: Math.floor(reading.storeTimeMs),
    heldForMs: 0,
    state: "lost",
    expiresAtMs: reading.storeTimeMs,
    leaseDurationMs: 0,
    lineage: "",
    priority: 0,
    reservedFor: undefined,
    reservedUntilMs: 0,
    termsGranted,
    challenger: undefined,
  };
}

/** The renewed record, or undefined if the lease is lost. */
export function renewLease(reading: LeaseReading, request: RenewRequest): LeaseRecord | undefined {
  const { record, storeTimeMs } = reading;
  const { nodeId, incarnation, term, leaseDurationMs, priority } = request;
  const isOurs = record?.term === term && record.incarnation === incarnation && record.state === "held";
  const isBelowOurs = record === undefined || record.term < term;
  if (!isOurs && !(isBelowOurs && request.reassert)) return undefined;
  return {
    nodeId,
    incarnation,
    term,
    // L2: no number comes twice, also over a loss, or a candidate would take this record for one that it saw before.
    renewal: isOurs ? record.renewal + 1 : Math.floor(storeTimeMs),
    // A late copy of a renewal brings an old figure.
    heldForMs: Math.max(isOurs ? record.heldForMs : 0, request.heldForMs),
    state: "held",
    expiresAtMs: storeTimeMs + leaseDurationMs,
    leaseDurationMs,
    lineage: isOurs ? renewedLineage(reading.lineage, record, request) : "",
    priority,
    reservedFor: undefined,
    reservedUntilMs: 0,
    termsGranted: Math.max(record?.termsGranted ?? 0, request.termsGranted),
    challenger: undefined,
  };
}

/**
 * L2: a copy of a renewal that arrives late, after a loss or a fail-over, may write its record anew, but must not make it
 * believable: whoever releases that record would let another in beside the true holder. So a record gets the present
 * lineage only from a holder that has heard of it.
 */
function renewedLineage(present: string, record: LeaseRecord, { seen }: RenewRequest): string {
  const hasHeard = seen.lineage === present && seen.renewal === record.renewal;
  return hasHeard ? present : record.lineage;
}

/**
 * The tombstone of the holder's own term, or undefined if the lease is not the holder's. It keeps the lineage: a release
 * that arrives late, at a primary that was promoted since, must not make that primary's old record believable (L2).
 */
export function releaseLease(reading: LeaseReading, request: ReleaseRequest): LeaseRecord | undefined {
  const { record, storeTimeMs } = reading;
  if (record?.term !== request.term || record.incarnation !== request.incarnation) return undefined;
  if (record.state !== "held") return undefined;
  return {
    ...record,
    state: "released",
    expiresAtMs: storeTimeMs,
    reservedFor: request.reservedFor,
    reservedUntilMs: request.reservedFor === undefined ? 0 : storeTimeMs + request.reserveMs,
    challenger: undefined,
  };
}

/** A tombstone above every term so far. */
export function deposeLease(reading: LeaseReading, by: Holder): LeaseRecord {
  const { record, storeTimeMs, lineage } = reading;
  return {
    nodeId: by.nodeId,
    incarnation: by.incarnation,
    term: nextTerm(reading, 0),
    renewal: 0,
    heldForMs: 0,
    state: "deposed",
    expiresAtMs: storeTimeMs,
    leaseDurationMs: record?.leaseDurationMs ?? 0,
    lineage,
    priority: 0,
    reservedFor: undefined,
    reservedUntilMs: 0,
    termsGranted: record?.termsGranted ?? 0,
    challenger: undefined,
  };
}

/** Whom a tombstone of {@link deposeLease} fences: the holder of a lease that runs, if there is one. */
export function leaseHolder(reading: LeaseReading): LeaseRecord | undefined {
  const { record, storeTimeMs } = reading;
  return record?.state === "held" && storeTimeMs < record.expiresAtMs ? record : undefined;
}

/** The record with its best challenger, or undefined if the challenge is not above holder and challenger. */
export function challengeLease(
  reading: LeaseReading,
  request: { readonly nodeId: string; readonly priority: number },
): LeaseRecord | undefined {
  const { record } = reading;
  if (record?.state !== "held" || request.priority <= record.priority) return undefined;
  if (record.challenger && request.priority <= record.challenger.priority) return undefined;
  return { ...record, challenger: { nodeId: request.nodeId, priority: request.priority } };
}

/** The error of every call to a store that was closed. */
export function storeClosed(call: string): ParallaxError<"store_closed"> {
  return new ParallaxError("store_closed", `calling ${call}: the store was closed; open a new one`);
}
