/** How much of something one connection may bring: so much a second over time, and a burst at once. */
export interface Allowance {
  /** Counts `amount`, and says for how many ms nothing more should be taken: 0 while it is within its bounds. */
  take(amount: number, nowMs: number): number;
}

export interface AllowanceOptions {
  readonly perSecond: number;
  readonly burst: number;
}

/** A leaky bucket: what is over the brim has to run off first. */
export function createAllowance({ perSecond, burst }: AllowanceOptions): Allowance {
  let level = 0;
  let atMs: number | undefined;
  return {
    take(amount, nowMs) {
      const leaked = ((nowMs - (atMs ?? nowMs)) / 1000) * perSecond;
      atMs = nowMs;
      level = Math.max(0, level - leaked) + amount;
      return Math.max(0, ((level - burst) / perSecond) * 1000);
    },
  };
}
