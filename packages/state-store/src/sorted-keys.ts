/** A set of strings in the order of their UTF-16 code units. */
export interface SortedKeys {
  add(key: string): void;
  delete(key: string): void;
  /** Keys from `first` on and before `end`, at most `limit`; from the end with `reverse`. */
  range(options: {
    readonly first: string;
    readonly end: string;
    readonly limit: number;
    readonly reverse?: boolean;
  }): string[];
  /** How many keys lie from `first` on and before `end`. */
  count(first: string, end: string): number;
}

const chunkLimit = 512;

/** Where `key` is in a sorted array, or would be. */
function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = sorted[middle];
    if (at !== undefined && at < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Sorted arrays of at most 512 keys in a sorted array: changes cost two binary searches and the move of one small array,
 * which for the sizes of an embedded store beats a balanced tree in code and in speed.
 */
export function createSortedKeys(): SortedKeys {
  const chunks: string[][] = [];

  /** The chunk that holds `key` or would: the first whose last key is not below it. */
  function chunkOf(key: string): number {
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = chunks[middle]?.at(-1);
      if (last !== undefined && last < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many keys lie before `key`. */
  function rank(key: string): number {
    const at = chunkOf(key);
    let before = 0;
    for (let index = 0; index < at; index += 1) before += chunks[index]?.length ?? 0;
    return before + lowerBound(chunks[at] ?? [], key);
  }

  return {
    add(key) {
      const at = Math.min(chunkOf(key), Math.max(0, chunks.length - 1));
      const chunk = chunks[at];
      if (chunk === undefined) {
        chunks.push([key]);
        return;
      }
      const place = lowerBound(chunk, key);
      if (chunk[place] === key) return;
      chunk.splice(place, 0, key);
      if (chunk.length > chunkLimit) chunks.splice(at + 1, 0, chunk.splice(chunkLimit / 2));
    },
    delete(key) {
      const at = chunkOf(key);
      const chunk = chunks[at];
      if (chunk === undefined) return;
      const place = lowerBound(chunk, key);
      if (chunk[place] !== key) return;
      chunk.splice(place, 1);
      if (chunk.length === 0) chunks.splice(at, 1);
    },
    range({ first, end, limit, reverse = false }) {
      const keys: string[] = [];
      const start = reverse ? end : first;
      let at = Math.min(chunkOf(start), chunks.length - 1);
      let place = lowerBound(chunks[at] ?? [], start) - (reverse ? 1 : 0);
      const step = reverse ? -1 : 1;
      while (at >= 0 && at < chunks.length && keys.length < limit) {
        const key = chunks[at]?.[place];
        if (key === undefined) {
          at += step;
          place = reverse ? (chunks[at]?.length ?? 0) - 1 : 0;
        } else if (key < first || key >= end) break;
        else {
          keys.push(key);
          place += step;
        }
      }
      return keys;
    },
    count: (first, end) => Math.max(0, rank(end) - rank(first)),
  };
}
