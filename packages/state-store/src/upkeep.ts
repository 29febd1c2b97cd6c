import { ParallaxError } from "@parallax/core";
import { checkIndex, checkWhole } from "./checks.ts";
import { invalidValue } from "./codec.ts";
import type { Collection, Fields } from "./collection.ts";
import { partitionsOf, type StoreContext } from "./context.ts";
import type { Definition } from "./definition.ts";
import { formatEntry } from "./index-entry.ts";
import { type IndexPart, walkIndex } from "./index-walk.ts";
import type { ChangeOutcome, DeleteChange, IndexEntry, IndexQuery } from "./store.ts";

type Upkeep<Value extends Fields> = Pick<Collection<Value>, "collectExpired" | "trim" | "forgetLost">;

const defaultStep = 200;
const maxStep = 1000;
/** How many entries are looked at together for records that are gone. */
const partSize = 100;

/** Any record, whatever it has. */
const anyRecord: IndexQuery = { index: undefined, value: "" };

/** The duties of whoever keeps a collection small (S4, S7): bounded steps, to be repeated while more waits. */
export function createUpkeep<Value extends Fields>(
  context: StoreContext,
  { layout }: Definition<Value>,
): Upkeep<Value> {
  const { backend, reading } = context;
  const name = layout.collection;
  /** Where `forgetLost` goes on. */
  let walk: ReturnType<typeof walkIndex> | undefined;

  async function remove(
    partition: number,
    which: readonly Pick<DeleteChange, "id" | "leftovers">[],
    how: Pick<DeleteChange, "reason" | "where" | "fence">,
    counted: ChangeOutcome["outcome"] = "ok",
  ): Promise<number> {
    const removals = which.map((record): DeleteChange => {
      const requestId = context.nextId();
      return { op: "delete", requestId, event: undefined, version: undefined, ...record, ...how };
    });
    const outcomes = await Promise.all(
      removals.map((removal) => context.writer.change(layout, partition, removal, 0)),
    );
    const fenced = outcomes.find((outcome) => outcome.outcome === "fenced");
    if (fenced) throw fencedError(name, fenced.fence);
    return outcomes.filter(({ outcome }) => outcome === counted).length;
  }

  /** Takes away those of a part whose records are gone. One that has come back meanwhile has not expired, and stays. */
  async function forget(
    { partition, query, entries }: IndexPart,
    fence: number | undefined,
  ): Promise<number> {
    const ids = entries.map(({ id }) => id);
    const versions = await reading(() => backend.versions(partition, name, anyRecord, ids));
    const which = entries
      .filter((_, at) => versions[at] === undefined)
      .map((entry) => ({ id: entry.id, leftovers: [formatEntry(query, entry)] }));
    return remove(partition, which, { reason: "expired", where: [], fence }, "missing");
  }

  /** The records with one of these values that came to it longest ago, over all partitions. */
  async function oldest(
    index: string,
    values: readonly string[],
    limit: number,
  ): Promise<readonly Candidate[]> {
    const scans = partitionsOf(backend).flatMap((partition) =>
      values.map(async (value) => {
        const request = { index, value, order: "oldest-first", after: undefined, limit } as const;
        const entries = await reading(() => backend.scan(partition, name, request));
        return entries.map((entry): Candidate => ({ ...entry, partition, value }));
      }),
    );
    const candidates = (await Promise.all(scans)).flat();
    return candidates.sort((a, b) => a.atMs - b.atMs).slice(0, limit);
  }

  return {
    async collectExpired({ fence, limit = defaultStep }) {
      checkWhole("invalid_limit", "the size of a step", limit, 1, maxStep);
      let looked = 0;
      let removed = 0;
      for (const partition of partitionsOf(backend)) {
        const step = limit - looked;
        // One more than may go tells whether more wait.
        const ids = await reading(() => backend.expired(partition, name, step + 1));
        const how = { reason: "expired", where: [], fence } as const;
        const which = ids.slice(0, step).map((id) => ({ id, leftovers: [] }));
        removed += await remove(partition, which, how);
        looked += Math.min(ids.length, step);
        if (ids.length > step) return { removed, more: true };
      }
      return { removed, more: false };
    },
    async trim({ fence, index, values, max, limit = defaultStep }) {
      checkIndex(name, layout.indexes, index);
      checkWhole("invalid_limit", "the size of a step", limit, 1, maxStep);
      checkWhole("invalid_limit", "the number of records to keep", max, 0);
      const final = layout.final[index];
      const open = final && values.find((value) => !final.includes(value));
      if (open !== undefined) throw invalidValue(`the values to trim ${name} by`, `${open} is not final`);
      const distinct = [...new Set(values)];
      const counts = partitionsOf(backend).flatMap((partition) =>
        distinct.map((value) => reading(() => backend.count(partition, name, { index, value }))),
      );
      const excess = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0) - max;
      if (excess <= 0) return { removed: 0, more: false };

      let removed = 0;
      const candidates = await oldest(index, distinct, Math.min(excess, limit));
      // L9: the removal is right by itself, as it is bound to the value that the record was chosen for.
      for (const [, group] of groupCandidates(candidates)) {
        const [first] = group;
        if (!first) continue;
        const how = { reason: "trimmed", where: [[index, first.value]], fence } as const;
        const which = group.map((entry) => ({
          id: entry.id,
          leftovers: [formatEntry({ index, value: entry.value }, entry)],
        }));
        removed += await remove(first.partition, which, how);
      }
      return { removed, more: excess > removed };
    },
    async forgetLost({ fence, limit = defaultStep }) {
      checkWhole("invalid_limit", "the size of a step", limit, 1, maxStep);
      let removed = 0;
      for (let looked = 0; looked < limit; ) {
        walk ??= walkIndex(context, layout, partSize);
        const { value: part, done } = await walk.next();
        if (done) {
          walk = undefined;
          break;
        }
        removed += await forget(part, fence);
        // A look counts, also at a value that nothing has any more.
        looked += part.entries.length + 1;
      }
      return { removed, more: walk !== undefined };
    },
  };
}

interface Candidate extends IndexEntry {
  readonly partition: number;
  readonly value: string;
}

function groupCandidates(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const key = `${candidate.partition}:${candidate.value}`;
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  return groups;
}

function fencedError(name: string, fence: number): ParallaxError<"fenced"> {
  const message = `removing records of ${name}: a leader with the higher term ${fence} is at work; stop leading`;
  return new ParallaxError("fenced", message, { details: { fence } });
}
