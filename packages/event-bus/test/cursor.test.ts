import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CursorPart, formatCursor, parseCursor } from "../src/cursor.ts";

const part: fc.Arbitrary<CursorPart> = fc.oneof(
  fc.constantFrom<CursorPart>("now", "start"),
  fc.record({
    epoch: fc.stringMatching(/^[0-9a-z]{1,20}$/),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER >>> 0 }),
    tag: fc.stringMatching(/^[0-9a-z]{0,20}$/),
  }),
);

describe("a cursor", () => {
  it("brings back the place in every partition", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 16 }), (parts) => {
        expect(parseCursor("execution", parts.length, formatCursor("execution", parts))).toEqual(parts);
      }),
    );
  });

  it("has no spaces and no line breaks, so that it can be an SSE id", () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 16 }), (parts) => {
        expect(formatCursor("agent", parts)).toMatch(/^[\w@.,-]+$/);
      }),
    );
  });

  const valid = formatCursor("execution", [{ epoch: "e1", sequence: 7, tag: "t7" }]);
  it.each([
    ["of another topic", "agent", 1, valid],
    ["of another number of partitions", "execution", 2, valid],
    ["cut off", "execution", 1, valid.slice(0, -4)],
    ["with more than it should have", "execution", 1, `${valid} `],
    ["with a sequence that is no number", "execution", 1, "execution@e1.x.t7"],
    ["with a sequence past what counts exactly", "execution", 1, `execution@e1.${"9".repeat(16)}.t7`],
    ["empty", "execution", 1, ""],
    ["that is no string", "execution", 1, 7],
    ["that is an object", "execution", 1, { toString: () => valid }],
  ])("is refused when it is one %s", (_, topic, partitions, cursor) => {
    expect(() => parseCursor(topic, partitions, cursor)).toThrow(
      expect.objectContaining({ code: "invalid_cursor" }),
    );
  });
});
