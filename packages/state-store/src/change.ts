import { entriesOf, isFinal } from "./index-entry.ts";
import {
  mayHaveForgotten,
  newestRequest,
  recallRequest,
  rememberRefusal,
  rememberRequest,
} from "./request-ids.ts";
import {
  type Change,
  type ChangeEvent,
  type ChangeOutcome,
  type CreateChange,
  type DeleteChange,
  type DepositChange,
  type Expiry,
  eventsOf,
  type FieldText,
  type Layout,
  type MigrateChange,
  type MutateOptions,
  type StoredEvent,
  type StoredFields,
  type UpdateChange,
} from "./store.ts";

/** A record with all that belongs to it, as the memory backend keeps it. Never changed in place. */
export interface RecordState {
  readonly fields: ReadonlyMap<string, string>;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly schema: number;
  /** What the indexes have of it: those of the layout that wrote it last. */
  readonly entries: readonly string[];
  readonly requests: string;
  readonly events: number;
  readonly log: readonly StoredEvent[];
  readonly inbox: ReadonlyMap<string, string>;
  readonly inboxBytes: number;
}

/** What a change leads to: the record after it (`undefined`: there is none), and the events that it appends. */
export interface Applied {
  readonly outcome: ChangeOutcome;
  readonly after: RecordState | undefined;
  readonly told?: readonly ChangeEvent[];
  /** What is remembered from now on of a record that is not there. */
  readonly forebear?: string;
}

/** Where a change meets the record. `fence` is the highest that the partition has seen, this change's included. */
export interface ChangeContext {
  readonly layout: Layout;
  readonly fence: number;
  readonly nowMs: number;
  /** The requests of the record of this id that was deleted last, if that was a moment ago. */
  readonly forebear: string;
  /** As {@link MutateOptions} has it. */
  readonly repeatedSinceMs: MutateOptions["repeatedSinceMs"];
}

/** The events of a change, with the version of the record that they tell about. */
function toldBy(change: Change, version: number): readonly ChangeEvent[] {
  return eventsOf(change).map(({ tag, json }) => ({
    tag,
    json: `${json.slice(0, -1)},"version":${version}}`,
  }));
}

/** The record as a reader gets it. */
export function toStored(id: string, state: RecordState): StoredFields {
  const { fields, version, createdAtMs, updatedAtMs, expiresAtMs, schema } = state;
  const times = { createdAtMs, updatedAtMs, expiresAtMs };
  return {
    id,
    fields: Object.fromEntries(fields),
    version,
    ...times,
    schema,
    madeBy: newestRequest(state.requests),
  };
}

/**
 * The one meaning of a change, without I/O: the Lua script `mutate` does the same on Redis, and a property test holds the
 * two together. The order of the answers is part of it: a repeated request first (S2), then the fence (S3), then the rest.
 */
export function applyChange(
  before: RecordState | undefined,
  change: Change,
  context: ChangeContext,
): Applied {
  // A deposit is known by its key, and a migration by the schema that it leads to.
  const isRemembered = change.op !== "deposit" && change.op !== "migrate";
  const applied = decide(before, change, context, isRemembered);
  const mayBeOnItsWay = isRemembered && context.repeatedSinceMs !== undefined;
  if (!mayBeOnItsWay || !["exists", "conflict", "final", "missing"].includes(applied.outcome.outcome))
    return applied;
  const { requestId } = change;
  const requests = before ? before.requests : context.forebear;
  if (recallRequest(requests, requestId)) return applied;
  const remembered = rememberRefusal(requests, requestId, context.nowMs);
  return before
    ? { ...applied, after: { ...before, requests: remembered } }
    : { ...applied, forebear: remembered };
}

/** What a request is answered that was refused before, whatever it would be now. */
function refusedBefore(
  before: RecordState | undefined,
  change: Change,
  { layout }: ChangeContext,
): ChangeOutcome {
  if (!before) return change.op === "create" ? { outcome: "forgotten" } : { outcome: "missing" };
  if (change.op === "create") return { outcome: "exists", record: toStored(change.id, before) };
  return { outcome: isFinal(layout, before.fields) ? "final" : "conflict", version: before.version };
}

function decide(
  before: RecordState | undefined,
  change: Change,
  context: ChangeContext,
  isRemembered: boolean,
): Applied {
  const requests = before ? before.requests : context.forebear;
  const earlier = isRemembered && recallRequest(requests, change.requestId);
  if (earlier === "refused") return { outcome: refusedBefore(before, change, context), after: before };
  if (earlier) return { outcome: { outcome: "ok", ...earlier }, after: before };
  const { repeatedSinceMs: sinceMs, nowMs } = context;
  if (isRemembered && sinceMs !== undefined && mayHaveForgotten(requests, sinceMs, nowMs)) {
    return { outcome: { outcome: "forgotten" }, after: before };
  }
  if (change.fence !== undefined && change.fence < context.fence) {
    return { outcome: { outcome: "fenced", fence: context.fence }, after: before };
  }
  if (change.op === "create") {
    return before
      ? { outcome: { outcome: "exists", record: toStored(change.id, before) }, after: before }
      : applyCreate(change, context);
  }
  if (!before) return { outcome: { outcome: "missing" }, after: undefined };
  if (isFinal(context.layout, before.fields) && !mayTouchFinal(before, change, context)) {
    return { outcome: { outcome: "final", version: before.version }, after: before };
  }
  switch (change.op) {
    case "update":
      return applyUpdate(before, change, context);
    case "delete":
      return applyDelete(before, change, context);
    case "deposit":
      return applyDeposit(before, change, context);
    case "migrate":
      return applyMigrate(before, change, context);
  }
}

/** S6: a final record can only expire, or be trimmed before its time (S7). */
function mayTouchFinal(before: RecordState, change: Change, { nowMs }: ChangeContext): boolean {
  return change.op === "delete" && (change.reason === "trimmed" || hasExpired(before, nowMs));
}

function hasExpired(state: RecordState, nowMs: number): boolean {
  return state.expiresAtMs !== undefined && state.expiresAtMs <= nowMs;
}

function conflict(before: RecordState): Applied {
  return { outcome: { outcome: "conflict", version: before.version }, after: before };
}

/** The conditions were encoded by one schema, the record by another: what they say of it means nothing. */
function otherSchema(before: RecordState): Applied {
  return { outcome: { outcome: "schema", schema: before.schema }, after: before };
}

function holds(before: RecordState, change: UpdateChange | DeleteChange): boolean {
  if (change.version !== undefined && change.version !== before.version) return false;
  if (change.madeBy !== undefined && change.madeBy !== newestRequest(before.requests)) return false;
  return change.where.every(([field, text]) => before.fields.get(field) === text);
}

function expiryAfter(current: number | undefined, expiry: Expiry, nowMs: number): number | undefined {
  if (expiry === "keep") return current;
  return expiry === "never" ? undefined : nowMs + expiry;
}

/** The record's own log after a change, bounded in count (S7), and what goes to the topic. */
function tell(
  state: Pick<RecordState, "events" | "log">,
  change: Change,
  version: number,
  { layout, nowMs }: ChangeContext,
): Pick<RecordState, "events" | "log"> & { readonly told: readonly ChangeEvent[] } {
  const told = toldBy(change, version);
  if (layout.maxLogEntries === 0) return { events: state.events, log: state.log, told };
  const entries = told.map(({ json }, index) => ({ sequence: state.events + 1 + index, atMs: nowMs, json }));
  const log = told.length === 0 ? state.log : [...state.log, ...entries].slice(-layout.maxLogEntries);
  return { events: state.events + told.length, log, told };
}

function applyCreate(change: CreateChange, context: ChangeContext): Applied {
  const { layout, nowMs } = context;
  const fields = new Map(change.set);
  const { told, ...record } = tell({ events: 0, log: [] }, change, 1, context);
  const result = { version: 1, storeTimeMs: nowMs };
  const after: RecordState = {
    ...record,
    fields,
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    expiresAtMs: expiryAfter(undefined, change.expiry, nowMs),
    schema: layout.schema,
    entries: entriesOf(layout, fields, { id: change.id, createdAtMs: nowMs, updatedAtMs: nowMs }),
    requests: rememberRequest(context.forebear, change.requestId, result),
    inbox: new Map(),
    inboxBytes: 0,
  };
  return { outcome: { outcome: "ok", ...result }, after, told };
}

function applyUpdate(before: RecordState, change: UpdateChange, context: ChangeContext): Applied {
  const { layout, nowMs } = context;
  if (before.schema !== layout.schema) return otherSchema(before);
  if (!holds(before, change)) return conflict(before);
  const { deposits = [] } = change;
  // What the change rests on is there, or comes with it.
  if (deposits.some(([key, text]) => (before.inbox.get(key) ?? text) !== text)) return conflict(before);
  const missing = deposits.filter(([key]) => !before.inbox.has(key));
  const inboxBytes = before.inboxBytes + bytesOf(missing);
  if (missing.length > 0 && inboxBytes > layout.maxInboxBytes) return inboxFull(before);
  const fields = new Map(before.fields);
  for (const [field, text] of change.set) fields.set(field, text);
  for (const field of change.unset) fields.delete(field);
  const version = before.version + 1;
  const { told, ...record } = tell(before, change, version, context);
  const result = { version, storeTimeMs: nowMs };
  const after: RecordState = {
    ...before,
    ...record,
    fields,
    version,
    updatedAtMs: nowMs,
    expiresAtMs: expiryAfter(before.expiresAtMs, change.expiry, nowMs),
    entries: entriesOf(layout, fields, { ...before, id: change.id, updatedAtMs: nowMs }),
    requests: rememberRequest(before.requests, change.requestId, result),
    ...(missing.length > 0 ? { inbox: new Map([...before.inbox, ...missing]), inboxBytes } : {}),
  };
  return { outcome: { outcome: "ok", ...result }, after, told };
}

function bytesOf(deposits: readonly FieldText[]): number {
  return deposits.reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(text), 0);
}

function inboxFull(before: RecordState): Applied {
  const reason = `${before.inboxBytes} bytes are in it`;
  return { outcome: { outcome: "refused", code: "inbox_full", reason }, after: before };
}

function applyDelete(before: RecordState, change: DeleteChange, context: ChangeContext): Applied {
  if (change.reason === "expired" && !hasExpired(before, context.nowMs)) return conflict(before);
  if (change.reason === "asked" && change.where.length > 0 && before.schema !== context.layout.schema) {
    return otherSchema(before);
  }
  if (!holds(before, change)) return conflict(before);
  const version = before.version + 1;
  return {
    outcome: { outcome: "ok", version, storeTimeMs: context.nowMs },
    after: undefined,
    told: toldBy(change, version),
  };
}

function applyDeposit(before: RecordState, change: DepositChange, context: ChangeContext): Applied {
  const occupied = before.inbox.get(change.key);
  if (occupied !== undefined) return { outcome: { outcome: "occupied", value: occupied }, after: before };
  const inboxBytes = before.inboxBytes + bytesOf([[change.key, change.value]]);
  if (inboxBytes > context.layout.maxInboxBytes) return inboxFull(before);
  const { told, ...record } = tell(before, change, before.version, context);
  const inbox = new Map(before.inbox).set(change.key, change.value);
  return { outcome: { outcome: "deposited" }, after: { ...before, ...record, inbox, inboxBytes }, told };
}

function applyMigrate(before: RecordState, change: MigrateChange, { layout }: ChangeContext): Applied {
  if (before.version !== change.version || before.schema !== change.fromSchema) return conflict(before);
  const fields = new Map(before.fields);
  for (const [field, text] of change.set) fields.set(field, text);
  for (const field of change.unset) fields.delete(field);
  const entries = entriesOf(layout, fields, { ...before, id: change.id });
  const after = { ...before, fields, schema: layout.schema, entries };
  const { version, updatedAtMs: storeTimeMs } = before;
  return { outcome: { outcome: "ok", version, storeTimeMs }, after };
}
