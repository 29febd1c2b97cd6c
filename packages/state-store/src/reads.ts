import { ParallaxError } from "@parallax/core";
import type { BusEvent } from "@parallax/event-bus";
import { z } from "zod";
import { checkId, checkIndex, checkWhole } from "./checks.ts";
import type { Collection, Fields, ListOptions, RecordEvent, RecordVersion, Stored } from "./collection.ts";
import { partitionsOf, type StoreContext } from "./context.ts";
import { formatPageCursor, parsePageCursor } from "./cursor.ts";
import { type Definition, toRecord } from "./definition.ts";
import type { IndexEntry, IndexQuery, StoredEvent, StoredFields } from "./store.ts";

type Reads<Value extends Fields> = Pick<
  Collection<Value>,
  "get" | "getMany" | "inbox" | "log" | "list" | "versions" | "count" | "values"
>;

const defaultPageSize = 100;
const maxPageSize = 1000;
/** How many values of an index are asked for at once. */
const valuesAtOnce = 500;

/** The reading half of a collection. */
export function createReads<Value extends Fields>(
  context: StoreContext,
  definition: Definition<Value>,
): Reads<Value> {
  const { backend, reading } = context;
  const { layout, known } = definition;
  const name = layout.collection;
  const partitions = partitionsOf(backend);

  /** Texts by id, each partition asked once. */
  async function load(ids: readonly string[]): Promise<ReadonlyMap<string, StoredFields>> {
    const byPartition = groupBy(new Set(ids), backend.partitionOf);
    const loads = [...byPartition].map(([partition, members]) =>
      reading(() => backend.read(partition, name, members)),
    );
    const found = (await Promise.all(loads)).flat().filter((stored) => stored !== undefined);
    for (const stored of found) known.read(stored);
    return new Map(found.map((stored) => [stored.id, stored]));
  }

  /** The next entries of a query over all partitions, newest first. */
  async function nextEntries(
    query: IndexQuery,
    after: IndexEntry | undefined,
    limit: number,
  ): Promise<readonly IndexEntry[]> {
    const scans = partitions.map((partition) =>
      reading(() => backend.scan(partition, name, { ...query, order: "newest-first", after, limit })),
    );
    const entries = (await Promise.all(scans)).flat();
    return entries.sort(newestFirst).slice(0, limit);
  }

  function queryOf({ index, value }: Pick<ListOptions<Value>, "index" | "value">): IndexQuery {
    if (index !== undefined) checkIndex(name, layout.indexes, index);
    if ((index === undefined) === (value === undefined)) return { index, value: value ?? "" };
    const message = `listing ${name}: an index needs the value to look for, and a value its index; give both or none`;
    throw new ParallaxError("invalid_index", message);
  }

  /** A record that cannot be read must not hide the others: it is reported and left out. */
  function readable(stored: StoredFields): Stored<Value> | undefined {
    try {
      return toRecord(definition, stored);
    } catch (error) {
      context.onError(error);
      return undefined;
    }
  }

  /** One page of a query: of the records that the index names, what `read` makes of those that still match. */
  async function page<Found>(
    options: ListOptions<Value>,
    read: (query: IndexQuery, ids: readonly string[]) => Promise<readonly Found[]>,
  ): Promise<{ readonly records: readonly Found[]; readonly cursor: string | undefined }> {
    const { limit = defaultPageSize, cursor } = options;
    checkWhole("invalid_limit", "the size of a page", limit, 1, maxPageSize);
    const query = queryOf(options);
    let last = cursor === undefined ? undefined : parsePageCursor(name, query, cursor);
    const records: Found[] = [];
    // Records that changed between the look at the index and the read may no longer match; the page is filled up.
    while (records.length < limit) {
      const wanted = limit - records.length;
      const entries = await nextEntries(query, last, wanted);
      records.push(
        ...(await read(
          query,
          entries.map(({ id }) => id),
        )),
      );
      last = entries.at(-1) ?? last;
      if (entries.length < wanted) return { records, cursor: undefined };
    }
    return { records, cursor: last && formatPageCursor(name, query, last) };
  }

  async function versionsOf(query: IndexQuery, ids: readonly string[]): Promise<readonly RecordVersion[]> {
    const looks = [...groupBy(ids, backend.partitionOf)].map(async ([partition, members]) => {
      const found = await reading(() => backend.versions(partition, name, query, members));
      return members.map((id, at) => [id, found[at]] as const);
    });
    const versions = new Map((await Promise.all(looks)).flat());
    return ids.flatMap((id) => {
      const version = versions.get(id);
      return version === undefined ? [] : { id, version };
    });
  }

  return {
    async get(id) {
      checkId(name, id);
      const partition = backend.partitionOf(id);
      const [stored] = await reading(() => backend.read(partition, name, [id]));
      if (stored) known.read(stored);
      return stored && toRecord(definition, stored);
    },
    async getMany(ids) {
      for (const id of ids) checkId(name, id);
      const found = await load(ids);
      return ids.map((id) => {
        const stored = found.get(id);
        return stored && toRecord(definition, stored);
      });
    },
    async inbox(id) {
      checkId(name, id);
      const partition = backend.partitionOf(id);
      return Object.fromEntries(await reading(() => backend.inbox(partition, name, id)));
    },
    async log(id, after = 0) {
      checkId(name, id);
      checkWhole("invalid_value", "the sequence to read after", after, 0);
      const partition = backend.partitionOf(id);
      const entries = await reading(() => backend.log(partition, name, id, after));
      return entries?.map(toRecordEvent);
    },
    list: (options = {}) =>
      page(options, async (query, ids) => {
        const found = await load(ids);
        return ids.flatMap((id) => {
          const stored = found.get(id);
          const matches = query.index === undefined || stored?.fields[query.index] === query.value;
          return (stored && matches ? readable(stored) : undefined) ?? [];
        });
      }),
    versions: (options = {}) => page(options, versionsOf),
    async count(options = {}) {
      const query = queryOf(options);
      const counts = partitions.map((partition) => reading(() => backend.count(partition, name, query)));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    },
    async values(index) {
      checkIndex(name, layout.indexes, index);
      const totals = new Map<string, number>();
      async function collect(partition: number): Promise<void> {
        for (let after: string | undefined; ; ) {
          const look = { after, limit: valuesAtOnce };
          const found = await reading(() => backend.values(partition, name, index, look));
          for (const [value, count] of found) totals.set(value, (totals.get(value) ?? 0) + count);
          after = found.at(-1)?.[0];
          if (found.length < valuesAtOnce) return;
        }
      }
      await Promise.all(partitions.map(collect));
      return Object.fromEntries([...totals].sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  };
}

function newestFirst(a: IndexEntry, b: IndexEntry): number {
  if (a.atMs !== b.atMs) return b.atMs - a.atMs;
  return a.id < b.id ? 1 : -1;
}

function groupBy(ids: Iterable<string>, partitionOf: (id: string) => number): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const id of ids) {
    const partition = partitionOf(id);
    const group = groups.get(partition);
    if (group) group.push(id);
    else groups.set(partition, [id]);
  }
  return groups;
}

const eventShape = z.looseObject({ type: z.string() });

function toRecordEvent({ sequence, atMs, json }: StoredEvent): RecordEvent {
  const event: BusEvent = eventShape.parse(JSON.parse(json));
  return { sequence, atMs, event };
}
