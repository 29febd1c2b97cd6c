import { createHash } from "node:crypto";
import { toStored } from "./change.ts";
import {
  formatEntry,
  parseEntry,
  rangeOf,
  timeText,
  unescapeValue,
  valueIn,
  valuesRange,
} from "./index-entry.ts";
import type { MemoryRecordSpace } from "./memory-space.ts";
import type { RecordBackend } from "./store.ts";

export {
  type MemoryRecordSnapshot,
  type MemoryRecordSpace,
  type MemoryRecordSpaceOptions,
  memoryRecordSpace,
} from "./memory-space.ts";

/** Options of {@link memoryRecordBackend}. */
export interface MemoryRecordBackendOptions {
  /** Begins the keys that are shown to people. Default `memory:`. */
  readonly keyPrefix?: string;
  /**
   * For simulations: carries each call. It may wait before and after `run`, and throw `timeout` with or without having
   * called it. Default: calls it at once.
   */
  readonly link?: <Result>(run: () => Result) => Promise<Result>;
}

/** One node's access to the shared records: the embedded backend, complete in one process. */
export function memoryRecordBackend(
  space: MemoryRecordSpace,
  options: MemoryRecordBackendOptions = {},
): RecordBackend {
  const { keyPrefix = "memory:", link = async (run) => run() } = options;
  return {
    partitions: space.partitions,
    partitionOf: (id) => partitionOf(id, space.partitions),
    keyOf: (collection, id) => `${keyPrefix}${collection}:${id}`,
    mutate: (partition, layout, changes, options) =>
      link(() => space.mutate(partition, layout, changes, options)),
    read: (partition, collection, ids) =>
      link(() => {
        const { records } = space.shelf(partition, collection);
        return ids.map((id) => {
          const state = records.get(id);
          return state && toStored(id, state);
        });
      }),
    versions: (partition, collection, { index, value }, ids) =>
      link(() => {
        const { records } = space.shelf(partition, collection);
        return ids.map((id) => {
          const state = records.get(id);
          return state && (index === undefined || state.fields.get(index) === value)
            ? state.version
            : undefined;
        });
      }),
    inbox: (partition, collection, id) =>
      link(() => new Map(space.shelf(partition, collection).records.get(id)?.inbox)),
    log: (partition, collection, id, after) =>
      link(() =>
        space
          .shelf(partition, collection)
          .records.get(id)
          ?.log.filter(({ sequence }) => sequence > after),
      ),
    scan: (partition, collection, { order, after, limit, ...query }) =>
      link(() => {
        const range = rangeOf(query);
        const reverse = order === "newest-first";
        const edge = after && formatEntry(query, after);
        // The smallest text behind an entry is the entry with a null character.
        const first = edge !== undefined && !reverse ? `${edge}\0` : range.first;
        const end = edge !== undefined && reverse ? edge : range.end;
        const members = space.shelf(partition, collection).index.range({ first, end, limit, reverse });
        return members.flatMap((member) => parseEntry(member) ?? []);
      }),
    count: (partition, collection, query) =>
      link(() => {
        const { first, end } = rangeOf(query);
        return space.shelf(partition, collection).index.count(first, end);
      }),
    values: (partition, collection, index, { after, limit }) =>
      link(() => {
        const keys = space.shelf(partition, collection).index;
        const found: [string, number][] = [];
        let behind = after;
        while (found.length < limit) {
          const [member] = keys.range({ ...valuesRange(index, behind), limit: 1 });
          if (member === undefined) break;
          behind = unescapeValue(valueIn(index, member));
          const { first, end } = rangeOf({ index, value: behind });
          found.push([behind, keys.count(first, end)]);
        }
        return found;
      }),
    expired: (partition, collection, limit) =>
      link(() => {
        const end = `${timeText(space.nowMs())}\uffff`;
        const keys = space.shelf(partition, collection).expiry.range({ first: "", end, limit });
        return keys.map((key) => key.slice(13));
      }),
    raiseFence: (partition, term) => link(() => space.raiseFence(partition, term)),
    time: () => link(() => space.nowMs()),
    memory: () => link(() => space.memory()),
    async [Symbol.asyncDispose]() {},
  };
}

function partitionOf(id: string, partitions: number): number {
  return partitions === 1 ? 0 : createHash("sha1").update(id).digest().readUInt32BE(0) % partitions;
}
