import { partitionsOf, type StoreContext } from "./context.ts";
import type { IndexEntry, IndexQuery, Layout } from "./store.ts";

/** Some entries of one query in one partition. */
export interface IndexPart {
  readonly partition: number;
  readonly query: IndexQuery;
  readonly entries: readonly IndexEntry[];
}

/** All entries of a collection, at most `size` at a time: those of every record, then those of each value of each index. */
export async function* walkIndex(
  { backend, reading }: Pick<StoreContext, "backend" | "reading">,
  { collection, indexes }: Pick<Layout, "collection" | "indexes">,
  size: number,
): AsyncGenerator<IndexPart, void, void> {
  async function* queries(partition: number): AsyncGenerator<IndexQuery, void, void> {
    yield { index: undefined, value: "" };
    for (const index of indexes) {
      for (let after: string | undefined; ; ) {
        const look = { after, limit: 1 };
        const [next] = await reading(() => backend.values(partition, collection, index, look));
        if (!next) break;
        [after] = next;
        yield { index, value: after };
      }
    }
  }

  for (const partition of partitionsOf(backend)) {
    for await (const query of queries(partition)) {
      for (let after: IndexEntry | undefined; ; ) {
        const request = { ...query, order: "oldest-first", after, limit: size } as const;
        const entries = await reading(() => backend.scan(partition, collection, request));
        yield { partition, query, entries };
        if (entries.length < size) break;
        after = entries.at(-1);
      }
    }
  }
}
