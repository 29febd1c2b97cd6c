import { describe, expect, it } from "vitest";
import { closeCodes, comesBack } from "../../src/index.ts";

describe("an agent that was closed", () => {
  it.each([1000, 1001, 1006, 1012, closeCodes.rebalance, closeCodes.tooSlow, 4499])(
    "with %i comes back",
    (code) => {
      expect(comesBack(code)).toBe(true);
    },
  );

  it.each([4500, closeCodes.unauthorized, closeCodes.unsupportedVersion, closeCodes.replaced, 4999])(
    "with %i does not come back",
    (code) => {
      expect(comesBack(code)).toBe(false);
    },
  );

  it("is given a code that no other reason has", () => {
    const codes = Object.values(closeCodes);
    expect(new Set(codes).size).toBe(codes.length);
  });
});
