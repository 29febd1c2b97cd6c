import { describe, expect, it } from "vitest";
import type { Outline } from "../../src/methods/outline.ts";
import { shapeOf } from "../../src/methods/shapes.ts";

function outline(bodyWords: number, capitalWords: number, clauses = 0): Outline {
  return {
    header: "",
    prose: { paragraphs: 1, words: clauses > 0 ? 21 : bodyWords },
    items: { count: clauses, words: clauses > 0 ? bodyWords - 21 : 0 },
    capitalWords,
    words: bodyWords + capitalWords,
  };
}

describe("shapeOf", () => {
  it("fits to the word", () => {
    expect(shapeOf(outline(86, 76))).toEqual({ license: "MIT", fit: 1 });
    expect(shapeOf(outline(33, 76))).toEqual({ license: "ISC", fit: 1 });
  });

  it("bears a few words more or less, and fits less", () => {
    const off = shapeOf(outline(90, 74));
    expect(off?.license).toBe("MIT");
    expect(off?.fit).toBeLessThan(1);
  });

  it("has none for a text between the licences", () => {
    expect(shapeOf(outline(300, 76))).toBeUndefined();
    expect(shapeOf(outline(86, 10))).toBeUndefined();
  });

  it("lets the number of clauses speak against the number of words", () => {
    expect(shapeOf(outline(100, 116, 3))).toEqual({ license: "BSD-3-Clause", fit: 1 });
    expect(shapeOf(outline(100, 116, 5))?.fit).toBeLessThan(0.5);
  });

  it("needs the list where no disclaimer in capitals sets a licence apart", () => {
    expect(shapeOf(outline(132, 0, 3))).toEqual({ license: "Zlib", fit: 1 });
    expect(shapeOf(outline(132, 0))).toBeUndefined();
  });
});
