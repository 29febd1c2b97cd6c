import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareIds } from "../src/order.ts";

describe("the order of ids", () => {
  it("counts numbers by their value", () => {
    const ids = ["node-10", "node-2", "a", "node-1", "node-2-b", "node-2-a", "node"];
    expect(ids.sort(compareIds)).toEqual([
      "a",
      "node",
      "node-1",
      "node-2",
      "node-2-a",
      "node-2-b",
      "node-10",
    ]);
  });

  it("does not round long numbers", () => {
    expect(compareIds("n90071992547409930", "n90071992547409931")).toBeLessThan(0);
  });

  it("is total: two ids are equal only if they are the same", () => {
    const id = fc.stringMatching(/^[a-c0-2.-]{0,6}$/);
    fc.assert(
      fc.property(id, id, id, (left, middle, right) => {
        expect(compareIds(left, right) === 0).toBe(left === right);
        expect(Math.sign(compareIds(left, right))).toBe(-Math.sign(compareIds(right, left)) || 0);
        if (compareIds(left, middle) < 0 && compareIds(middle, right) < 0) {
          expect(compareIds(left, right)).toBeLessThan(0);
        }
      }),
    );
  });
});
