import { randomFillSync } from "node:crypto";

/** A source of randomness, injected, so that a simulated run can be repeated. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

/** Random bits, fetched many at a time: an id takes twenty numbers. */
const bits = new Uint32Array(2048);
let used = bits.length;

/** The randomness of this process. */
export const systemRandom: Random = {
  next() {
    if (used === bits.length) {
      randomFillSync(bits);
      used = 0;
    }
    const high = bits[used] ?? 0;
    const low = bits[used + 1] ?? 0;
    used += 2;
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
};

/**
 * A repeatable sequence for tests and simulations: the same seed gives the same numbers on every machine.
 * The generator is mulberry32 (Tommy Ettinger, public domain); it is not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}
