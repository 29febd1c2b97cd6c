import type { BusEvent, Cursor } from "@parallax/event-bus";
import type { z } from "zod";

/** Fields of a record. On Redis each is one hash field: strings as they are, everything else as JSON (S5). */
export type Fields = Readonly<Record<string, unknown>>;

/** What a collection keeps. */
export interface CollectionOptions<Value extends Fields> {
  /** Names the keys: `execution` gives `parallax:execution:<id>`. Letters, digits and dashes. */
  readonly name: string;
  /** An object schema; checks every value that comes in and every record that comes back. */
  readonly schema: z.ZodType<Value>;
  /**
   * What is written is not checked, only what comes back: for a program that makes its values itself and by their types, and
   * writes them often. Unknown fields of nested objects are then stored, too. Default false.
   */
  readonly trusted?: boolean;
  /** Fields (strings) by which records can be listed and counted. */
  readonly indexes?: readonly (keyof Value & string)[];
  /** A record in which one of these fields has one of these values never changes again (S6); it can only expire. */
  readonly final?: Readonly<Partial<Record<keyof Value & string, readonly string[]>>>;
  /** The topic that its events go to. Default: none. */
  readonly topic?: string;
  /** How many events a record's own log keeps; with 0 it has none. Default: the store's `limits.logEntries`. */
  readonly logEntries?: number;
  /** Stored records of an older version are brought up by `migrate` on read. Default 1. */
  readonly version?: number;
  readonly migrate?: (
    fields: Readonly<Record<string, string>>,
    version: number,
  ) => Readonly<Record<string, string>>;
}

/** A record as read. */
export interface Stored<Value extends Fields> {
  readonly id: string;
  readonly value: Value;
  /** Rises by one with each change; 1 after its creation. */
  readonly version: number;
  /** Store time in epoch ms. */
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
}

/** What every change may carry. */
export interface ChangeOptions {
  /** The term of a leader's write (S3): refused below the highest that the partition has seen. */
  readonly fence?: number;
  /** Makes a retry after an unknown outcome return the first result (S2). Default: random per call, reused by the retries within it. */
  readonly requestId?: string;
  /** Milliseconds from now, by store time, until the record expires. `null` takes an expiry away. */
  readonly expiresInMs?: number | null;
  /**
   * Appended to the topic and to the record's own log, in the same step (S1). Several where one change takes a record
   * through several states, in their order.
   */
  readonly event?: BusEvent | readonly BusEvent[];
  /** Replicas that must acknowledge before the call counts as done. Default: the store's. */
  readonly replicas?: number;
}

/** The conditions of a change. */
export interface UpdateOptions<Value extends Fields> extends ChangeOptions {
  /** Refused with `conflict` unless the record has this version. */
  readonly version?: number;
  /** Refused with `conflict` unless each of these fields has this value. */
  readonly where?: Partial<Value>;
}

/** The conditions of an update, and what it rests on. */
export interface PatchOptions<Value extends Fields> extends UpdateOptions<Value> {
  /**
   * Put into the record's inbox in the same step, texts by their keys: for a change that rests on them, so that nobody finds the
   * one without the other. Refused with `conflict` if another text lies under one of the keys.
   */
  readonly deposits?: Readonly<Record<string, string>>;
}

/** The fields to write and those to take away; the others stay. */
export interface Patch<Value extends Fields> {
  readonly set?: Partial<Value>;
  readonly unset?: readonly (keyof Value & string)[];
}

/** What became of a creation. */
export type CreateOutcome<Value extends Fields> =
  | { readonly outcome: "created"; readonly version: 1; readonly storeTimeMs: number }
  | { readonly outcome: "exists"; readonly record: Stored<Value> }
  | { readonly outcome: "fenced"; readonly fence: number };

/** What became of an update; `version` is the one that the record has now. */
export type UpdateOutcome =
  | { readonly outcome: "ok"; readonly version: number; readonly storeTimeMs: number }
  | { readonly outcome: "conflict"; readonly version: number }
  | { readonly outcome: "fenced"; readonly fence: number }
  | { readonly outcome: "final"; readonly version: number }
  | { readonly outcome: "missing" };

/** What became of a deletion. */
export type DeleteOutcome =
  | Exclude<UpdateOutcome, { outcome: "final" }>
  | { readonly outcome: "final"; readonly version: number };

/** What became of a deposit. */
export type DepositOutcome =
  | { readonly outcome: "ok" }
  /** First write wins; `value` is what is there. */
  | { readonly outcome: "exists"; readonly value: string }
  | { readonly outcome: "final" }
  | { readonly outcome: "missing" };

/** Which records a page shows. */
export interface ListOptions<Value extends Fields> {
  /** An index and the value to look for. Without: all records. */
  readonly index?: keyof Value & string;
  readonly value?: string;
  /** 1 to 1000. Default 100. */
  readonly limit?: number;
  /** From the page before, of the same query. @throws ParallaxError `invalid_cursor` */
  readonly cursor?: string;
}

/** Newest first: by creation; the records of a final value, in a field that makes records final, by when they came to it. */
export interface Page<Value extends Fields> {
  readonly records: readonly Stored<Value>[];
  readonly cursor: string | undefined;
}

/** A record as {@link Collection.versions} lists it. */
export interface RecordVersion {
  readonly id: string;
  readonly version: number;
}

/** One entry of a record's own log. */
export interface RecordEvent {
  readonly sequence: number;
  readonly atMs: number;
  readonly event: BusEvent;
}

/** What a watch tells. */
export type WatchEvent<Value extends Fields> =
  /** The records that match, as of a position; again after every gap. */
  | { readonly type: "snapshot"; readonly records: readonly Stored<Value>[] }
  | { readonly type: "changed"; readonly id: string; readonly event: BusEvent };

/**
 * Records of one kind. Every change is one atomic step: record, indexes, expiry and event together, or nothing (S1).
 * Bad input is refused before anything is sent: `invalid_value`, `invalid_id`, `invalid_index`, `invalid_limit`, `too_large`.
 */
export interface Collection<Value extends Fields> {
  readonly name: string;
  create(id: string, value: Value, options?: ChangeOptions): Promise<CreateOutcome<Value>>;
  update(id: string, patch: Patch<Value>, options?: PatchOptions<Value>): Promise<UpdateOutcome>;
  delete(id: string, options?: UpdateOptions<Value>): Promise<DeleteOutcome>;
  /** Puts `value` under `key` of the record's inbox; needs no ownership, does not touch the version, refuses final records. */
  deposit(
    id: string,
    key: string,
    value: string,
    options?: Pick<ChangeOptions, "event" | "replicas">,
  ): Promise<DepositOutcome>;
  get(id: string): Promise<Stored<Value> | undefined>;
  getMany(ids: readonly string[]): Promise<readonly (Stored<Value> | undefined)[]>;
  inbox(id: string): Promise<Readonly<Record<string, string>>>;
  /** The record's own log, after `after` (default: from its start). Undefined if the record is gone. */
  log(id: string, after?: number): Promise<readonly RecordEvent[] | undefined>;
  list(options?: ListOptions<Value>): Promise<Page<Value>>;
  /** What `list` would give, ids and versions only: for whoever looks often, at records that may be large. */
  versions(
    options?: ListOptions<Value>,
  ): Promise<{ readonly records: readonly RecordVersion[]; readonly cursor: string | undefined }>;
  count(options?: Pick<ListOptions<Value>, "index" | "value">): Promise<number>;
  /** The values that an index has at present, with their counts. */
  values(index: keyof Value & string): Promise<Readonly<Record<string, number>>>;
  /** Position first, then the snapshot, then events: nothing falls between. */
  watch(
    options?: Pick<ListOptions<Value>, "index" | "value"> & { readonly signal?: AbortSignal },
  ): AsyncIterableIterator<WatchEvent<Value>>;
  /** Deletes up to `limit` expired records with all that belongs to them, in every partition; says how many, and whether more wait (S4). */
  collectExpired(options: {
    readonly fence?: number;
    readonly limit?: number;
  }): Promise<{ readonly removed: number; readonly more: boolean }>;
  /** Ends the records that finished longest ago early while there are more than `max` (S7). */
  trim(options: {
    readonly fence?: number;
    readonly index: keyof Value & string;
    readonly values: readonly string[];
    readonly max: number;
    readonly limit?: number;
  }): Promise<{ readonly removed: number; readonly more: boolean }>;
  /**
   * Looks at about `limit` more entries of the indexes, and takes away those whose records' keys were deleted by hand or evicted;
   * says how many, and whether there is more of this round. Each call goes on where the one before ended.
   */
  forgetLost(options: {
    readonly fence?: number;
    readonly limit?: number;
  }): Promise<{ readonly removed: number; readonly more: boolean }>;
  /** The position of its topic: read it before loading a snapshot. */
  position(): Promise<Cursor>;
  /** The Redis key of a record, for people. */
  keyOf(id: string): string;
}

/** Collections of records on one backend. */
export interface StateStore {
  /** Opens a collection. @throws ParallaxError `invalid_collection`, `invalid_schema`, `invalid_index` */
  collection<Value extends Fields>(options: CollectionOptions<Value>): Collection<Value>;
  /** L8: raises the fence of every partition to `term` before a leader's first read. `fenced` names a higher one. */
  raiseFence(
    term: number,
  ): Promise<{ readonly outcome: "ok" } | { readonly outcome: "fenced"; readonly fence: number }>;
  /** S7: whether the store takes new records: below 85 % of its memory limit. Cached for a second. */
  admits(): Promise<boolean>;
  /** The store's clock, epoch ms. */
  time(): Promise<number>;
  /** Takes no more calls, waits for the changes on their way, and closes the backend. Harmless when called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
