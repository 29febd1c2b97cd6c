import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  entriesOf,
  escapeValue,
  formatEntry,
  parseEntry,
  rangeOf,
  unescapeValue,
  valueIn,
  valuesRange,
} from "../src/index-entry.ts";

const value = fc.string({ unit: fc.constantFrom("a", "b", "|", "%", "}", "7", "C", "2", "5", "*") });
const entry = fc.record({
  atMs: fc.integer({ min: 0, max: 9_999_999_999_999 }),
  id: fc.stringMatching(/^[\w.#-]{1,12}$/),
});

describe("the entries of an index", () => {
  it("reads like this", () => {
    const layout = { indexes: ["status", "owner"], final: { status: ["done"] } };
    const times = { id: "exec_1", createdAtMs: 1_795_468_577_123, updatedAtMs: 1_795_468_577_999 };
    const open = new Map([["status", "running"]]);
    expect(entriesOf(layout, open, times)).toEqual([
      "*|1795468577123|exec_1",
      "status|running|1795468577123|exec_1",
    ]);
    const final = new Map([
      ["status", "done"],
      ["owner", "me"],
    ]);
    expect(entriesOf(layout, final, times)).toEqual([
      "*|1795468577123|exec_1",
      "status|done|1795468577999|exec_1",
      "owner|me|1795468577123|exec_1",
    ]);
  });

  it("gives back value, time and id", () => {
    fc.assert(
      fc.property(value, entry, (text, place) => {
        expect(unescapeValue(escapeValue(text))).toBe(text);
        const member = formatEntry({ index: "f", value: text }, place);
        expect(parseEntry(member)).toEqual(place);
        expect(unescapeValue(valueIn("f", member))).toBe(text);
      }),
    );
  });

  it("keeps each value's entries in one range that no other value's entry lies in", () => {
    fc.assert(
      fc.property(value, value, entry, (one, other, place) => {
        const { first, end } = rangeOf({ index: "f", value: one });
        const member = formatEntry({ index: "f", value: other }, place);
        expect(member >= first && member < end).toBe(one === other);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps the entries of one index, and of all records, apart from the others", () => {
    fc.assert(
      fc.property(value, entry, (text, place) => {
        const { first, end } = valuesRange("f", undefined);
        const lies = (member: string) => member >= first && member < end;
        expect(lies(formatEntry({ index: "f", value: text }, place))).toBe(true);
        expect(lies(formatEntry({ index: "fa", value: text }, place))).toBe(false);
        expect(lies(formatEntry({ index: undefined, value: "" }, place))).toBe(false);
      }),
    );
  });

  it("sorts by time, then by id", () => {
    fc.assert(
      fc.property(entry, entry, (a, b) => {
        const query = { index: "f", value: "x" };
        const byPlace = a.atMs - b.atMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
        const [first, second] = [formatEntry(query, a), formatEntry(query, b)];
        expect(Math.sign(byPlace)).toBe(first < second ? -1 : first > second ? 1 : 0);
      }),
    );
  });
});
