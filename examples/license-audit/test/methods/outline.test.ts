import { describe, expect, it } from "vitest";
import { outlineOf } from "../../src/methods/outline.ts";
import { bsd, commented, isc, mit, mitWithoutTitle, mitWithPreface } from "../texts.ts";

describe("outlineOf", () => {
  it("measures what a licence grants and disclaims", () => {
    expect(outlineOf(mit)).toMatchObject({
      header: "the mit license (mit)",
      prose: { paragraphs: 2, words: 86 },
      items: { count: 0, words: 0 },
      capitalWords: 76,
    });
  });

  it("counts clauses, by whatever they are marked", () => {
    for (const marker of ["* ", "- ", "1. ", "(a) ", "o "]) {
      expect(outlineOf(bsd(3, { marker })).items.count).toBe(3);
    }
  });

  it("does not take a line that begins with copyright notice for a copyright line", () => {
    expect(outlineOf(isc).prose).toEqual({ paragraphs: 1, words: 33 });
  });

  it("separates a copyright line from the terms right below it", () => {
    expect(outlineOf(mitWithoutTitle).prose.words).toBe(86);
  });

  it("leaves out a preface", () => {
    expect(outlineOf(mitWithPreface).prose.words).toBe(86);
  });

  it("sees through a block comment, but not through bullets", () => {
    expect(outlineOf(commented(bsd(2, { marker: "* " })))).toEqual(outlineOf(bsd(2, { marker: "* " })));
  });

  it("finds nothing in an empty text", () => {
    expect(outlineOf("")).toEqual({
      header: "",
      prose: { paragraphs: 0, words: 0 },
      items: { count: 0, words: 0 },
      capitalWords: 0,
      words: 0,
    });
  });
});
