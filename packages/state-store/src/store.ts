/** What a backend must know of a collection. */
export interface Layout {
  readonly collection: string;
  readonly indexes: readonly string[];
  /** Values, by field, that make a record final (S6). */
  readonly final: Readonly<Record<string, readonly string[]>>;
  readonly topic: string | undefined;
  /** Version of the schema that the changes were encoded with. */
  readonly schema: number;
  /** Bounds of what a record has beside it (S7): entries of its own log (0: none), bytes of keys and values in its inbox. */
  readonly maxLogEntries: number;
  readonly maxInboxBytes: number;
}

/** A field and its text. */
export type FieldText = readonly [field: string, text: string];

/** An event on its way: `json` is an object's text, to which the backend adds the record's version. */
export interface ChangeEvent {
  /** Random, [0-9a-z]: the tag of its entry in the topic's log (E4). */
  readonly tag: string;
  readonly json: string;
}

/** What becomes of a record's expiry: left alone, taken away, or that many milliseconds from the store's now. */
export type Expiry = "keep" | "never" | number;

interface ChangeBase {
  readonly id: string;
  /** [0-9A-Za-z_.:-]{1,64}; the same on every attempt (S2). */
  readonly requestId: string;
  readonly fence: number | undefined;
  readonly event: ChangeEvent | undefined;
  /** Appended before `event`: what the record passed through on its way. */
  readonly earlierEvents?: readonly ChangeEvent[];
}

/** What must hold of the record before it changes. `undefined` in `where`: the field must be absent. */
interface Conditions {
  readonly version: number | undefined;
  /**
   * The request that led to `version`, where it is known. A fail-over that takes changes back, and a second life of an id, give
   * the same number to another state: this tells the two apart.
   */
  readonly madeBy?: string | undefined;
  readonly where: readonly (readonly [field: string, text: string | undefined])[];
}

/** Makes a record that is not there yet. */
export interface CreateChange extends ChangeBase {
  readonly op: "create";
  readonly set: readonly FieldText[];
  readonly expiry: Expiry;
}

/** Changes fields of a record that is there. */
export interface UpdateChange extends ChangeBase, Conditions {
  readonly op: "update";
  readonly set: readonly FieldText[];
  readonly unset: readonly string[];
  readonly expiry: Expiry;
  /**
   * Put into the inbox in the same step, keys and texts. Under each key nothing lies yet, or this very text: anything else is a
   * `conflict`, as the change rests on what is not there.
   */
  readonly deposits?: readonly FieldText[] | undefined;
}

/**
 * Removes a record with its inbox, log, index entries and expiry.
 * - `asked`: a final record is refused unless it has expired (S6).
 * - `expired`: `conflict` unless it has expired by the store's clock (S4).
 * - `trimmed`: a final record goes early (S7); the conditions say which.
 */
export interface DeleteChange extends ChangeBase, Conditions {
  readonly op: "delete";
  readonly reason: "asked" | "expired" | "trimmed";
  /** Index entries that are taken away if there is no record: its key was evicted or removed by hand. */
  readonly leftovers: readonly string[];
}

/** First write wins. No conditions but that the record is there and not final (X5). */
export interface DepositChange extends ChangeBase {
  readonly op: "deposit";
  readonly key: string;
  readonly value: string;
}

/** Rewrites a record in a newer schema. Version, times and expiry stay, and nobody is told: nothing has happened to it. */
export interface MigrateChange extends ChangeBase {
  readonly op: "migrate";
  readonly version: number;
  readonly fromSchema: number;
  readonly set: readonly FieldText[];
  readonly unset: readonly string[];
}

/** What `mutate` takes. */
export type Change = CreateChange | UpdateChange | DeleteChange | DepositChange | MigrateChange;

/** A record as stored: texts, not yet values. */
export interface StoredFields {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly schema: number;
  /** The request that led to this version. */
  readonly madeBy: string | undefined;
}

/** What became of one change. Everything but `ok` and `deposited` left the record as it was. */
export type ChangeOutcome =
  | { readonly outcome: "ok"; readonly version: number; readonly storeTimeMs: number }
  | { readonly outcome: "deposited" }
  /** A create found a record. */
  | { readonly outcome: "exists"; readonly record: StoredFields }
  /** A deposit found a value under its key. */
  | { readonly outcome: "occupied"; readonly value: string }
  | { readonly outcome: "fenced"; readonly fence: number }
  | { readonly outcome: "conflict"; readonly version: number }
  | { readonly outcome: "final"; readonly version: number }
  | { readonly outcome: "missing" }
  /**
   * A repeated change that the record does not remember, while it has forgotten others that were made since the first
   * attempt: whether that took effect is unknown, and it was not repeated.
   */
  | { readonly outcome: "forgotten" }
  /** The record was written in another version of the schema: migrate it first. */
  | { readonly outcome: "schema"; readonly schema: number }
  /** The store could not apply it, and did not begin to: full, or a key that holds something else. */
  | { readonly outcome: "refused"; readonly code: RefusalCode; readonly reason: string };

/** Why the store refuses a change for good. */
export type RefusalCode = "store_full" | "inbox_full" | "wrong_type" | "redis_reply";

/** How a call of `mutate` is made. */
export interface MutateOptions {
  /** Replicas that are waited for. The result says how many acknowledged. */
  readonly replicas: number;
  /**
   * Undefined on the first attempt. On a repetition a store time that had passed when the first attempt began, 0 if none is
   * known. It is compared with the store's own clock only (T2), and holds however long the repetition is on its way.
   */
  readonly repeatedSinceMs: number | undefined;
}

/** Answers in the order of the changes, how many replicas acknowledged (0 when none were asked for), and the store's clock. */
export interface MutateResult {
  readonly outcomes: readonly ChangeOutcome[];
  readonly replicas: number;
  readonly storeTimeMs: number;
}

/** Which entries of an index to look at. Without `index`: every record. */
export interface IndexQuery {
  readonly index: string | undefined;
  readonly value: string;
}

/** A record's place in an index: by its creation, or by its end in an index by which records become final; then by id. */
export interface IndexEntry {
  readonly atMs: number;
  readonly id: string;
}

/** One look at an index of one partition. */
export interface ScanRequest extends IndexQuery {
  readonly order: "newest-first" | "oldest-first";
  /** Begin behind this entry. */
  readonly after: IndexEntry | undefined;
  readonly limit: number;
}

/** An entry of a record's own log, not yet read. */
export interface StoredEvent {
  readonly sequence: number;
  readonly atMs: number;
  readonly json: string;
}

/**
 * What a state store needs of a backend. Each call is one attempt: it never waits and never retries; the loops above do.
 * A call rejects with `timeout` when its outcome is unknown, with another code when nothing was done.
 *
 * Atomicity: each change of `mutate` is one step with all that belongs to it (S1). Several changes of a call are applied in
 * their order, and one that is refused does not stop the next. No call touches two partitions.
 */
export interface RecordBackend {
  /** Constant for the life of a cluster. */
  readonly partitions: number;
  /** The partition of a record, the same on every node. */
  partitionOf(id: string): number;
  /** The key of a record, for people. */
  keyOf(collection: string, id: string): string;
  mutate(
    partition: number,
    layout: Layout,
    changes: readonly Change[],
    options: MutateOptions,
  ): Promise<MutateResult>;
  /** Records in the order of `ids`, undefined where there is none. All ids are of this partition. */
  read(
    partition: number,
    collection: string,
    ids: readonly string[],
  ): Promise<readonly (StoredFields | undefined)[]>;
  /** The versions of those records that have the query's value, in the order of `ids`, undefined for the others. */
  versions(
    partition: number,
    collection: string,
    query: IndexQuery,
    ids: readonly string[],
  ): Promise<readonly (number | undefined)[]>;
  inbox(partition: number, collection: string, id: string): Promise<ReadonlyMap<string, string>>;
  /** The record's own log after that sequence. Undefined without the record. */
  log(
    partition: number,
    collection: string,
    id: string,
    after: number,
  ): Promise<readonly StoredEvent[] | undefined>;
  scan(partition: number, collection: string, request: ScanRequest): Promise<readonly IndexEntry[]>;
  count(partition: number, collection: string, query: IndexQuery): Promise<number>;
  /** Values with their counts in the order of the index, at most `limit`, behind `after`. */
  values(
    partition: number,
    collection: string,
    index: string,
    options: { readonly after: string | undefined; readonly limit: number },
  ): Promise<readonly (readonly [value: string, count: number])[]>;
  /** Ids of records that have expired by the store's clock, the longest expired first. */
  expired(partition: number, collection: string, limit: number): Promise<readonly string[]>;
  /** Raises the partition's fence to `term`; a higher one stays and is named (L8). */
  raiseFence(partition: number, term: number): Promise<{ readonly raised: boolean; readonly fence: number }>;
  /** The store's clock, epoch ms. */
  time(): Promise<number>;
  /** Memory of the server that holds the partition. Without a limit, `limitBytes` is undefined. */
  memory(partition: number): Promise<{ readonly usedBytes: number; readonly limitBytes: number | undefined }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** All events of a change, in the order in which they are appended. */
export function eventsOf({
  event,
  earlierEvents = [],
}: Pick<ChangeBase, "event" | "earlierEvents">): readonly ChangeEvent[] {
  return event ? [...earlierEvents, event] : [];
}
