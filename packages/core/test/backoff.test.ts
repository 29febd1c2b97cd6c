import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBackoff } from "../src/backoff.ts";
import { seededRandom } from "../src/random.ts";

const almostOne = { next: () => 1 - 2 ** -40 };

describe("backoff", () => {
  it("doubles its bound up to its maximum", () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 1000, random: almostOne });
    expect(Array.from({ length: 6 }, () => Math.round(backoff.next()))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
  });

  it("grows by the multiplier that it is given", () => {
    const backoff = createBackoff({ initialMs: 10, maxMs: 1000, multiplier: 3, random: almostOne });
    expect(Array.from({ length: 3 }, () => Math.round(backoff.next()))).toEqual([10, 30, 90]);
  });

  it("starts anew after a reset", () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 1000, random: almostOne });
    backoff.next();
    backoff.next();
    expect(backoff.attempts).toBe(2);
    backoff.reset();
    expect([backoff.attempts, Math.round(backoff.next())]).toEqual([0, 100]);
  });

  it("never waits longer than its bound, and never less than nothing, however long it goes on", () => {
    const options = fc.record({
      initialMs: fc.integer({ min: 1, max: 10_000 }),
      maxMs: fc.integer({ min: 1, max: 100_000 }),
      multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
      seed: fc.integer(),
      skipped: fc.integer({ min: 0, max: 3000 }),
    });
    fc.assert(
      fc.property(options, ({ initialMs, maxMs, multiplier, seed, skipped }) => {
        const backoff = createBackoff({ initialMs, maxMs, multiplier, random: seededRandom(seed) });
        for (let index = 0; index < skipped; index += 1) backoff.next();
        const waitMs = backoff.next();
        return waitMs >= 0 && waitMs <= Math.min(maxMs, initialMs * multiplier ** skipped);
      }),
      { numRuns: 50 },
    );
  });

  it("spreads its waits over the whole bound, also once that has reached its maximum", () => {
    const backoff = createBackoff({ initialMs: 1000, maxMs: 1000, random: seededRandom(1) });
    const waits = Array.from({ length: 4000 }, () => backoff.next());
    const counts = [0, 1, 2, 3].map(
      (quarter) => waits.filter((ms) => Math.floor(ms / 250) === quarter).length,
    );
    // 1000 in each quarter; five standard deviations are 137.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(137);
  });

  it.each([
    {},
    { initialMs: -1, maxMs: 5 },
    { initialMs: 1, maxMs: Number.NaN },
    { initialMs: 1, maxMs: 5, multiplier: 0.5 },
  ])("refuses bounds that bound nothing: %j", (options) => {
    expect(() => Reflect.apply(createBackoff, undefined, [options])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });
});
