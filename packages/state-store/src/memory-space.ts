import { getHeapStatistics } from "node:v8";
import { type Clock, systemClock } from "@parallax/core";
import type { MemoryEventLogSpace } from "@parallax/event-bus/memory";
import { applyChange, type ChangeContext, type RecordState } from "./change.ts";
import { timeText } from "./index-entry.ts";
import { rememberedMs, rememberRequest } from "./request-ids.ts";
import { createSortedKeys, type SortedKeys } from "./sorted-keys.ts";
import type { Change, ChangeEvent, Layout, MutateOptions, MutateResult } from "./store.ts";

/** Options of {@link memoryRecordSpace}. */
export interface MemoryRecordSpaceOptions {
  /** Where events go: the space that the nodes' event buses share. Default: nowhere. */
  readonly log?: Pick<MemoryEventLogSpace, "append">;
  /** The store's time is its `wall()`. Default: the clock of this process. */
  readonly clock?: Clock;
  /** Default 1. */
  readonly partitions?: number;
  /** What admission looks at. Default: the heap of this process. */
  readonly memory?: () => { readonly usedBytes: number; readonly limitBytes: number | undefined };
}

/** The records of one collection and partition, with the same sorted entries that the Redis backend keeps. */
export interface Shelf {
  readonly records: Map<string, RecordState>;
  readonly index: SortedKeys;
  readonly expiry: SortedKeys;
}

/** All records at one moment. Opaque: made by `snapshot`, read by `restore`. */
export interface MemoryRecordSnapshot {
  readonly shelves: ReadonlyMap<string, ReadonlyMap<string, RecordState>>;
  readonly fences: ReadonlyMap<number, number>;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
}

/** What is remembered of a record that was deleted. */
interface Tombstone {
  readonly requests: string;
  readonly deletedAtMs: number;
}

/** Records in this process, shared by any number of nodes. The last three functions are for simulations. */
export interface MemoryRecordSpace {
  readonly partitions: number;
  nowMs(): number;
  memory(): { readonly usedBytes: number; readonly limitBytes: number | undefined };
  shelf(partition: number, collection: string): Shelf;
  mutate(partition: number, layout: Layout, changes: readonly Change[], options: MutateOptions): MutateResult;
  raiseFence(partition: number, term: number): { readonly raised: boolean; readonly fence: number };
  /** Keeps everything as it is now, to go back to. */
  snapshot(): MemoryRecordSnapshot;
  /** Goes back, as a fail-over to a stale replica does. The event log is not part of it. */
  restore(snapshot: MemoryRecordSnapshot): void;
  /** Loses everything, as FLUSHALL does. */
  drop(): void;
}

function heap(): { usedBytes: number; limitBytes: number } {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return { usedBytes: used_heap_size, limitBytes: heap_size_limit };
}

/** Makes an empty space. */
export function memoryRecordSpace(options: MemoryRecordSpaceOptions = {}): MemoryRecordSpace {
  const { log, clock = systemClock, partitions = 1, memory = heap } = options;
  const shelves = new Map<string, Shelf>();
  const fences = new Map<number, number>();
  const tombstones = new Map<string, Tombstone>();

  function shelf(partition: number, collection: string): Shelf {
    const name = `${partition}:${collection}`;
    let found = shelves.get(name);
    if (!found) {
      found = { records: new Map(), index: createSortedKeys(), expiry: createSortedKeys() };
      shelves.set(name, found);
    }
    return found;
  }

  function bury(key: string, tombstone: Tombstone): void {
    for (const [buried, { deletedAtMs }] of tombstones) {
      if (deletedAtMs + rememberedMs > tombstone.deletedAtMs) break;
      tombstones.delete(buried);
    }
    tombstones.delete(key);
    tombstones.set(key, tombstone);
  }

  /** S2: a deleted record leaves nothing in which its requests could be remembered, so they are kept beside, for a while. */
  function forebearOf(key: string, nowMs: number): string {
    const tombstone = tombstones.get(key);
    return tombstone && nowMs < tombstone.deletedAtMs + rememberedMs ? tombstone.requests : "";
  }

  function mutateOne(partition: number, change: Change, context: Omit<ChangeContext, "fence" | "forebear">) {
    const { collection } = context.layout;
    const place = shelf(partition, collection);
    const before = place.records.get(change.id);
    const key = `${partition}:${collection}:${change.id}`;
    const fence = Math.max(fences.get(partition) ?? 0, change.fence ?? 0);
    if (fence > 0) fences.set(partition, fence);
    const { nowMs } = context;
    const forebear = before ? "" : forebearOf(key, nowMs);
    const applied = applyChange(before, change, { ...context, fence, forebear });
    const { outcome, after, told } = applied;
    if (applied.forebear !== undefined) bury(key, { requests: applied.forebear, deletedAtMs: nowMs });
    if (after !== before) replace(place, change.id, before, after);
    if (before && !after && outcome.outcome === "ok") {
      const requests = rememberRequest(before.requests, change.requestId, outcome);
      bury(key, { requests, deletedAtMs: nowMs });
    }
    return { outcome, told };
  }

  return {
    partitions,
    nowMs: () => Math.floor(clock.wall()),
    memory,
    shelf,
    mutate(partition, layout, changes, { replicas, repeatedSinceMs }) {
      const nowMs = Math.floor(clock.wall());
      const events: ChangeEvent[] = [];
      const outcomes = changes.map((change) => {
        const { outcome, told = [] } = mutateOne(partition, change, { layout, nowMs, repeatedSinceMs });
        events.push(...told);
        return outcome;
      });
      if (events.length > 0 && layout.topic !== undefined)
        log?.append(layout.topic, partition, events, nowMs);
      // There are no replicas that could lag behind: whatever number is asked for has it.
      return { outcomes, replicas, storeTimeMs: nowMs };
    },
    raiseFence(partition, term) {
      const fence = Math.max(fences.get(partition) ?? 0, term);
      fences.set(partition, fence);
      return { raised: fence === term, fence };
    },
    snapshot: () => ({
      shelves: new Map([...shelves].map(([name, { records }]) => [name, new Map(records)])),
      fences: new Map(fences),
      tombstones: new Map(tombstones),
    }),
    restore(snapshot) {
      this.drop();
      for (const [name, records] of snapshot.shelves) {
        const found: Shelf = { records: new Map(), index: createSortedKeys(), expiry: createSortedKeys() };
        for (const [id, state] of records) replace(found, id, undefined, state);
        shelves.set(name, found);
      }
      for (const [partition, fence] of snapshot.fences) fences.set(partition, fence);
      for (const [key, tombstone] of snapshot.tombstones) tombstones.set(key, tombstone);
    },
    drop() {
      shelves.clear();
      fences.clear();
      tombstones.clear();
    },
  };
}

/** S1: the record, its index entries and its expiry change together. */
function replace(
  shelf: Shelf,
  id: string,
  before: RecordState | undefined,
  after: RecordState | undefined,
): void {
  if (before) {
    for (const member of before.entries) if (!after?.entries.includes(member)) shelf.index.delete(member);
    if (before.expiresAtMs !== undefined) shelf.expiry.delete(expiryKey(before.expiresAtMs, id));
  }
  if (!after) {
    shelf.records.delete(id);
    return;
  }
  shelf.records.set(id, after);
  for (const member of after.entries) if (!before?.entries.includes(member)) shelf.index.add(member);
  if (after.expiresAtMs !== undefined) shelf.expiry.add(expiryKey(after.expiresAtMs, id));
}

/** Sorts expiries by time; the id is the rest behind the thirteen digits. */
function expiryKey(expiresAtMs: number, id: string): string {
  return timeText(expiresAtMs) + id;
}
