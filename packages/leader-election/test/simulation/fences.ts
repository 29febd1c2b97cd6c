import type { Term } from "../../src/index.ts";

/** What a leader writes to: partitions that each refuse a token below the highest that they have seen (L7). */
export interface Fences {
  /** L8: raises every fence to the term's token. A higher one makes the term end and be granted anew above it. */
  raise(term: Term): void;
  /** A write of the leader to one of them. */
  write(token: number): void;
  /** A fail-over takes the fences back to where they stood, too; without a snapshot to their beginning. */
  rewind(to?: readonly number[]): void;
  snapshot(): readonly number[];
  /** What is wrong with a leader whose token is below a fence: it may do nothing. */
  blocks(token: number): boolean;
}

const partitions = 4;

export function createFences(count: (what: string) => void, random: { next(): number }): Fences {
  const none: readonly number[] = Array.from({ length: partitions }, () => 0);
  let fences = none;
  return {
    raise(term) {
      const highest = Math.max(...fences);
      fences = fences.map((fence) => Math.max(fence, term.token));
      if (highest <= term.token) return;
      count("reissued above a fence");
      term.reissue(highest);
    },
    write(token) {
      const at = Math.floor(random.next() * partitions);
      const fence = fences[at] ?? 0;
      count(token < fence ? "write refused" : "write accepted");
      if (token >= fence) fences = fences.with(at, token);
    },
    rewind(to = none) {
      fences = to;
    },
    snapshot: () => fences,
    blocks: (token) => fences.some((fence) => fence > token),
  };
}
