/** The bounds of an {@link Allowance}. */
export interface AllowanceBounds {
  readonly perSecond: number;
  readonly burst: number;
  /** The most that may have been asked for and not come yet. Default 0. */
  readonly mostExpected?: number;
}

/**
 * How much of something may come: so much a second over time, and a burst at once. A leaky bucket: what is over the brim has to
 * run off first. There are several for each connection, so it is an object without closures.
 */
export class Allowance {
  readonly #bounds: AllowanceBounds;
  #level = 0;
  #expected = 0;
  #atMs = 0;

  constructor(bounds: AllowanceBounds) {
    this.#bounds = bounds;
  }

  /** Counts `amount`, and says for how many ms nothing more should be taken: 0 while it is within its bounds. */
  take(amount: number, nowMs: number): number {
    const { perSecond, burst } = this.#bounds;
    const leaked = this.#level > 0 ? ((nowMs - this.#atMs) / 1000) * perSecond : 0;
    this.#atMs = nowMs;
    const asked = Math.min(amount, this.#expected);
    this.#expected -= asked;
    this.#level = Math.max(0, this.#level - leaked) + amount - asked;
    return Math.max(0, ((this.#level - burst) / perSecond) * 1000);
  }

  /** So much more of it was asked for: it does not count when it comes. */
  expect(amount: number): void {
    this.#expected = Math.min(this.#bounds.mostExpected ?? 0, this.#expected + amount);
  }
}
