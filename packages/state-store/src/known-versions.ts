import type { StoredFields } from "./store.ts";

/** How many records a collection knows the version of; the ones that were met longest ago are forgotten. */
const limit = 10_000;

/** Which request led to the version that was last read or written here, by record. */
export interface KnownVersions {
  note(id: string, version: number, madeBy: string): void;
  /** A conflict tells that the record is another than was thought: what is written next knows that. */
  forget(id: string): void;
  /** Notes what was read. */
  read(stored: StoredFields): void;
  /** The request that led to that version, as far as it is known. */
  madeBy(id: string, version: number): string | undefined;
}

/**
 * Versions are counted, and what a fail-over takes back is counted again: a writer whose change was lost would otherwise meet
 * the number that it knows, on somebody else's change. So a condition on a version that was read or written here also names
 * the request that led to it.
 */
export function createKnownVersions(): KnownVersions {
  const known = new Map<string, { readonly version: number; readonly madeBy: string }>();

  function note(id: string, version: number, madeBy: string): void {
    known.delete(id);
    known.set(id, { version, madeBy });
    if (known.size <= limit) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      return;
    }
  }

  return {
    note,
    forget: (id) => void known.delete(id),
    read({ id, version, madeBy }) {
      if (madeBy !== undefined) note(id, version, madeBy);
    },
    madeBy(id, version) {
      const last = known.get(id);
      return last?.version === version ? last.madeBy : undefined;
    },
  };
}
