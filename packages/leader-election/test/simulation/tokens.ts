import type { LeaseReading } from "../../src/index.ts";

/** The tokens of a run, in the order in which the store granted them. */
export interface Tokens {
  /** Takes in a grant, with what the store held before it. Returns what is wrong with it, if anything is. */
  granted(term: number, before: LeaseReading): string | undefined;
  /** Takes in that work starts under a term. Returns what is wrong with it, if anything is. */
  started(term: number): string | undefined;
}

/**
 * L1 to the letter: no token comes twice, and one falls only where the store has forgotten the highest one *and* its clock is
 * behind it.
 */
export function createTokens(count: (what: string) => void): Tokens {
  const granted = new Set<number>();
  const fallen = new Set<number>();
  let highest = 0;
  let highestStarted = 0;
  return {
    granted(term, { record, storeTimeMs }) {
      if (granted.has(term)) return `term ${term} was granted twice (L1)`;
      granted.add(term);
      if (term > highest) {
        highest = term;
        return undefined;
      }
      const mayFall = (record?.term ?? 0) < highest && storeTimeMs < highest;
      if (!mayFall) return `term ${term} was granted after ${highest} (L1)`;
      fallen.add(term);
      count("token falls where L1 says so");
      return undefined;
    },
    started(term) {
      const isBelow = term <= highestStarted && !fallen.has(term);
      highestStarted = fallen.has(term) ? term : Math.max(highestStarted, term);
      return isBelow ? `term ${term} starts after ${highestStarted} (L1)` : undefined;
    },
  };
}
