import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSortedKeys } from "../src/sorted-keys.ts";

const key = fc.stringMatching(/^[a-d]{0,3}$/);
const step = fc.record({ add: fc.boolean(), key });

describe("sorted keys", () => {
  it("behave as a sorted array of distinct keys", () => {
    const look = fc.record({
      first: key,
      end: key,
      limit: fc.integer({ min: 0, max: 9 }),
      reverse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.array(look), (steps, looks) => {
        const keys = createSortedKeys();
        const model = new Set<string>();
        for (const { add, key } of steps) {
          if (add) keys.add(key);
          else keys.delete(key);
          if (add) model.add(key);
          else model.delete(key);
        }
        const sorted = [...model].sort();
        for (const { first, end, limit, reverse } of looks) {
          const within = sorted.filter((key) => key >= first && key < end);
          expect(keys.count(first, end)).toBe(within.length);
          const expected = (reverse ? within.toReversed() : within).slice(0, limit);
          expect(keys.range({ first, end, limit, reverse })).toEqual(expected);
        }
      }),
    );
  });

  it("stay sorted over many chunks", () => {
    const keys = createSortedKeys();
    const numbers = Array.from({ length: 5000 }, (_, at) => (at * 7919) % 5000);
    const text = (number: number) => String(number).padStart(4, "0");
    for (const number of numbers) keys.add(text(number));
    for (const number of numbers) if (number % 3 === 0) keys.delete(text(number));
    const left = numbers
      .filter((number) => number % 3 !== 0)
      .map(text)
      .sort();
    expect(keys.range({ first: "", end: "~", limit: 9999 })).toEqual(left);
    expect(keys.range({ first: "", end: "~", limit: 9999, reverse: true })).toEqual(left.toReversed());
    expect(keys.count("1000", "2000")).toBe(left.filter((key) => key >= "1000" && key < "2000").length);
  });
});
