/** How much of something one connection may bring: so much a second over time, and a burst at once. */
export interface Allowance {
  /** Counts `amount`, and says for how many ms nothing more should be taken: 0 while it is within its bounds. */
  take(amount: number, nowMs: number): number;
  /** So much more of it was asked for: it does not count when it comes. */
  expect(amount: number): void;
}

export interface AllowanceOptions {
  readonly perSecond: number;
  readonly burst: number;
  /** The most that may have been asked for and not come yet. Default 0. */
  readonly mostExpected?: number;
}

/** A leaky bucket: what is over the brim has to run off first. */
export function createAllowance({ perSecond, burst, mostExpected = 0 }: AllowanceOptions): Allowance {
  let level = 0;
  let expected = 0;
  let atMs: number | undefined;
  return {
    take(amount, nowMs) {
      const leaked = ((nowMs - (atMs ?? nowMs)) / 1000) * perSecond;
      atMs = nowMs;
      const asked = Math.min(amount, expected);
      expected -= asked;
      level = Math.max(0, level - leaked) + amount - asked;
      return Math.max(0, ((level - burst) / perSecond) * 1000);
    },
    expect(amount) {
      expected = Math.min(mostExpected, expected + amount);
    },
  };
}
