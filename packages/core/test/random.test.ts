import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomId } from "../src/ids.ts";
import { seededRandom, systemRandom } from "../src/random.ts";

describe("randomness", () => {
  it("of a seed repeats, on every machine", () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 3 }, () => Math.floor(random.next() * 2 ** 32));
    };
    expect(draw(42)).toEqual(draw(42));
    expect(draw(42)).not.toEqual(draw(43));
    // As the reference implementation of mulberry32 gives for seed 42.
    expect(draw(42)).toMatchInlineSnapshot(`
      [
        2581720956,
        1925393290,
        3661312704,
      ]
    `);
  });

  it("lies in [0, 1), from a seed and from the system", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const draws = [random.next(), random.next(), systemRandom.next()];
        return draws.every((value) => value >= 0 && value < 1);
      }),
    );
  });
});

describe("an id", () => {
  it("has its prefix and twenty letters and digits", () => {
    expect(randomId("exec_")).toMatch(/^exec_[0-9a-z]{20}$/);
    expect(randomId("", seededRandom(1))).toBe(randomId("", seededRandom(1)));
  });

  it("is not given twice", () => {
    expect(new Set(Array.from({ length: 10_000 }, () => randomId(""))).size).toBe(10_000);
  });
});
