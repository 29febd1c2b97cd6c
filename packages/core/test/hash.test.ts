import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hash } from "../src/hash.ts";

describe("the hash of an id", () => {
  it("is the same for ever", () => {
    expect(["", "a", "exec_1", "агент"].map(hash)).toMatchInlineSnapshot(`
      [
        2872998923,
        444641715,
        1817780929,
        2534586932,
      ]
    `);
  });

  it("is an unsigned 32-bit integer for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const value = hash(text);
        return Number.isInteger(value) && value >= 0 && value < 2 ** 32;
      }),
    );
  });
});
