import { describe, expect, it } from "vitest";
import { majority } from "../src/vote.ts";

describe("majority", () => {
  it("is what most answered, however unsure", () => {
    expect(
      majority([
        { result: "MIT", confidence: 1 },
        { result: "ISC", confidence: 0.1 },
        { result: "ISC", confidence: 0.1 },
      ]),
    ).toBe("ISC");
  });

  it("is the more confident of equally many", () => {
    expect(
      majority([
        { result: "MIT", confidence: 0.5 },
        { result: "ISC", confidence: 0.9 },
        { result: "0BSD", confidence: 0.2 },
      ]),
    ).toBe("ISC");
  });

  it("is the earliest of equals", () => {
    expect(
      majority([
        { result: "MIT", confidence: 0.5 },
        { result: "ISC", confidence: 0.5 },
      ]),
    ).toBe("MIT");
  });

  it("is nothing without answers", () => {
    expect(majority([])).toBeUndefined();
  });
});
