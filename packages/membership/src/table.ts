import type { Member, MemberReport, MemberStatus, MembershipEvent, View } from "./membership.ts";
import { compareIds } from "./order.ts";
import type { BeatOutcome, BeatRequest, JoinRequest } from "./store.ts";

/**
 * The members as a store keeps them, and everything that may happen to them, as pure functions of the table, the request
 * and the store's time. The memory backend runs these; the Redis scripts are the same in Lua, and a test holds them to it.
 */
export interface Table {
  readonly epoch: string;
  readonly version: number;
  /** The lineage of the store under which the epoch began: another one may have lost or rewound the table. */
  readonly lineage: string;
  /** Store time of the last sweep, and of the last amnesty that forgave a whole gap, in ms. */
  readonly sweptAtMs: number;
  readonly amnestyAtMs: number;
  readonly rows: ReadonlyMap<string, Row>;
  /** Incarnations that never come back (M6), oldest first. */
  readonly ended: ReadonlyMap<string, Ending>;
  /** The latest transitions, oldest first, versions without holes (M4). */
  readonly log: readonly Transition[];
}

/** One member. Its age is what `sweep` judges: `now − beatAtMs − graceMs`. */
export interface Row {
  readonly id: string;
  readonly incarnation: string;
  readonly address: string;
  readonly zone: string | undefined;
  readonly status: MemberStatus;
  readonly joinedAtMs: number;
  readonly beatAtMs: number;
  /** What of the time since its last beat is not held against it (M1, M2). */
  readonly graceMs: number;
  /** M2: spared once already, so the next time-out fails it. */
  readonly spared: boolean;
  readonly failedAtMs: number | undefined;
  readonly report: MemberReport;
}

export interface Ending {
  readonly reason: "failed" | "replaced" | "removed";
  readonly by: { readonly incarnation: string; readonly address: string } | undefined;
  readonly atMs: number;
}

/** A change of one member: one version of the view. */
export type Transition = Extract<MembershipEvent, { readonly member: string }>;

/** How long and how many ended incarnations are remembered, and how many transitions. */
export const endedRetentionMs: number = 48 * 3_600_000;
export const maxEnded = 10_000;
export const maxTransitions = 1000;

/** What the store knows when it is asked: its clock, its lineage, and a fresh random epoch in case it needs one. */
export interface Moment {
  readonly nowMs: number;
  readonly lineage: string;
  readonly epochCandidate: string;
}

/** A table being changed. The table that it was opened from stays as it was. */
export interface Draft extends Table {
  epoch: string;
  version: number;
  lineage: string;
  sweptAtMs: number;
  amnestyAtMs: number;
  readonly rows: Map<string, Row>;
  ended: ReadonlyMap<string, Ending>;
  /** The ended ones, once they are a copy of this draft's own. */
  ownEnded: Map<string, Ending> | undefined;
  log: readonly Transition[];
  /** What this change has done so far. */
  readonly events: Transition[];
}

/**
 * Opens the table for a change. A lost table, and one whose store has another lineage, begin a new epoch (M4): what was
 * handed out under the old one may have been taken back, so versions must not go on as if nothing had happened.
 */
export function openTable(table: Table | undefined, moment: Moment): Draft {
  const { nowMs, lineage, epochCandidate } = moment;
  if (!table) {
    const empty = { rows: new Map(), ended: new Map(), ownEnded: undefined, log: [], events: [] };
    return { epoch: epochCandidate, version: 0, lineage, sweptAtMs: nowMs, amnestyAtMs: 0, ...empty };
  }
  const draft = {
    ...table,
    rows: new Map(table.rows),
    ownEnded: undefined,
    events: [],
  };
  if (table.lineage !== lineage) beginEpoch(draft, moment);
  return draft;
}

/** The store was rewound, beats that it has acknowledged included: nobody's age is known any more, so all begin anew (M1). */
function beginEpoch(draft: Draft, { nowMs, lineage, epochCandidate }: Moment): void {
  Object.assign(draft, { epoch: epochCandidate, version: 0, lineage, log: [] });
  for (const row of draft.rows.values()) {
    if (row.status !== "failed") draft.rows.set(row.id, { ...row, graceMs: nowMs - row.beatAtMs });
  }
}

/** Writes a transition: the row as it is from now on (undefined takes it away), one version, one event. */
export function transition(
  draft: Draft,
  type: Transition["type"],
  subject: Row,
  next: Row | undefined,
): void {
  if (next) draft.rows.set(next.id, next);
  else draft.rows.delete(subject.id);
  draft.version += 1;
  const event: Transition = {
    type,
    member: subject.id,
    incarnation: subject.incarnation,
    epoch: draft.epoch,
    version: draft.version,
  };
  draft.events.push(event);
  draft.log = [...draft.log, event].slice(-maxTransitions);
}

/** Puts an incarnation among the ended ones. The first reason stays. */
export function end(draft: Draft, incarnation: string, ending: Ending): void {
  const ended = draft.ownEnded ?? new Map(draft.ended);
  draft.ended = draft.ownEnded = ended;
  if (!ended.has(incarnation)) ended.set(incarnation, ending);
  for (const [oldest, { atMs }] of ended) {
    if (atMs > ending.atMs - endedRetentionMs && ended.size <= maxEnded) break;
    ended.delete(oldest);
  }
}

/** Puts a member into the table. A living one of the same id and another incarnation ends by it (M6). */
export function join(
  draft: Draft,
  request: JoinRequest,
  { nowMs }: Moment,
): { readonly ended: boolean; readonly replaced: { incarnation: string; address: string } | undefined } {
  const { nodeId, incarnation, address, zone, report } = request;
  if (draft.ended.has(incarnation)) return { ended: true, replaced: undefined };
  const present = draft.rows.get(nodeId);
  const beaten = { beatAtMs: nowMs, graceMs: 0, spared: false, report };
  if (present?.incarnation === incarnation) {
    // A join that is repeated after an unknown outcome is a beat.
    draft.rows.set(nodeId, { ...present, ...beaten, address, zone });
    recover(draft, nodeId);
    return { ended: false, replaced: undefined };
  }
  const replaced = present && present.status !== "failed" ? present : undefined;
  if (replaced) {
    end(draft, replaced.incarnation, { reason: "replaced", by: { incarnation, address }, atMs: nowMs });
    transition(draft, "replaced", replaced, undefined);
  }
  const row: Row = {
    id: nodeId,
    incarnation,
    address,
    zone,
    status: "healthy",
    joinedAtMs: nowMs,
    ...beaten,
    failedAtMs: undefined,
  };
  transition(draft, "joined", row, row);
  return {
    ended: false,
    replaced: replaced && { incarnation: replaced.incarnation, address: replaced.address },
  };
}

/** What a beat found, without the view, which the backend adds. */
export type BeatFinding =
  | { readonly outcome: "ok" }
  | { readonly outcome: "rejoin" }
  | Omit<Extract<BeatOutcome, { readonly outcome: "ended" }>, "storeTimeMs">;

/** Refreshes a member. It never inserts one: a beat that is replayed cannot bring anybody back (M6). */
export function beat(draft: Draft, request: BeatRequest, moment: Moment): BeatFinding {
  const { nowMs } = moment;
  const { nodeId, incarnation, report, known, memberEpoch } = request;
  if (known?.epoch === draft.epoch && known.version > draft.version) {
    // M4: the caller has seen a later version of this epoch, so the store was rewound.
    beginEpoch(draft, moment);
  }
  const row = draft.rows.get(nodeId);
  const isMember = row !== undefined && row.status !== "failed";
  if (isMember && row.incarnation === incarnation) {
    draft.rows.set(nodeId, { ...row, beatAtMs: nowMs, graceMs: 0, spared: false, report });
    recover(draft, nodeId);
    return { outcome: "ok" };
  }
  const ending = draft.ended.get(incarnation);
  // Within one epoch nothing is lost: who was a member of it and is none has ended, even if that is no longer on record.
  if (!ending && memberEpoch !== draft.epoch) return { outcome: "rejoin" };
  if (isMember) {
    const { incarnation: other, address } = row;
    return { outcome: "ended", reason: "replaced", by: { incarnation: other, address } };
  }
  return { outcome: "ended", reason: ending?.reason ?? "removed", by: ending?.by };
}

function recover(draft: Draft, nodeId: string): void {
  const row = draft.rows.get(nodeId);
  if (row?.status === "suspect") transition(draft, "recovered", row, { ...row, status: "healthy" });
}

/** Marks a member as one that takes no new work. */
export function drain(
  draft: Draft,
  request: { readonly nodeId: string; readonly incarnation?: string },
): void {
  const row = draft.rows.get(request.nodeId);
  if (!row || (request.incarnation !== undefined && request.incarnation !== row.incarnation)) return;
  if (row.status === "failed" || row.status === "draining") return;
  transition(draft, "draining", row, { ...row, status: "draining" });
}

/** Ends an incarnation at its own wish; also one whose join is still under way, so that it comes too late. */
export function leave(
  draft: Draft,
  request: { readonly nodeId: string; readonly incarnation: string },
  { nowMs }: Moment,
): void {
  const row = draft.rows.get(request.nodeId);
  const known = draft.ended.has(request.incarnation);
  end(draft, request.incarnation, { reason: "removed", by: undefined, atMs: nowMs });
  if (row?.incarnation === request.incarnation && !known) transition(draft, "left", row, undefined);
}

/** Ends an incarnation that is no member. False, and nothing changes, while it is one. */
export function declareEnded(draft: Draft, incarnation: string, { nowMs }: Moment): boolean {
  for (const row of draft.rows.values()) {
    if (row.incarnation === incarnation && row.status !== "failed") return false;
  }
  end(draft, incarnation, { reason: "removed", by: undefined, atMs: nowMs });
  return true;
}

/** The transitions after a version; undefined if they are not, or no longer, a part of this table's log. */
export function historyOf(
  table: Table,
  since: { readonly epoch: string; readonly version: number },
): readonly Transition[] | undefined {
  const missing = table.version - since.version;
  if (since.epoch !== table.epoch || missing < 0 || missing > table.log.length) return undefined;
  return table.log.slice(table.log.length - missing);
}

/** The table as members see it. */
export function viewOf(table: Table, observedAtMs: number): View {
  const members = [...table.rows.values()].map(memberOf).sort((left, right) => compareIds(left.id, right.id));
  return { epoch: table.epoch, version: table.version, members, observedAtMs };
}

function memberOf(row: Row): Member {
  const { id, incarnation, address, zone, status, joinedAtMs, beatAtMs, report } = row;
  return { id, incarnation, address, zone, status, joinedAtMs, lastBeatAtMs: beatAtMs, report };
}
