import { describe, expect, it } from "vitest";
import { errorMessage, isParallaxError, ParallaxError } from "../src/errors.ts";

describe("a ParallaxError", () => {
  it("carries a code, a cause and facts", () => {
    const cause = new Error("why");
    const error = new ParallaxError("lease_lost", "renewing: lost; campaign again", {
      cause,
      details: { term: 3 },
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "ParallaxError", code: "lease_lost", cause, details: { term: 3 } });
  });

  it("has no cause unless one is given, be it undefined", () => {
    expect("cause" in new ParallaxError("code", "text")).toBe(false);
    expect("cause" in new ParallaxError("code", "text", { cause: undefined })).toBe(true);
  });
});

describe("isParallaxError", () => {
  it("tells by code", () => {
    const error: unknown = new ParallaxError("timeout", "text");
    expect([
      isParallaxError(error),
      isParallaxError(error, "timeout"),
      isParallaxError(error, "other"),
    ]).toEqual([true, true, false]);
  });

  it("knows the errors of another copy of this package, and nothing that only looks like one", () => {
    const marker = Symbol.for("@parallax/error");
    expect(
      isParallaxError(Object.assign(new Error("text"), { code: "timeout", [marker]: true }), "timeout"),
    ).toBe(true);
    for (const other of [new Error("text"), { code: "timeout" }, null, undefined, "timeout", 1])
      expect(isParallaxError(other)).toBe(false);
  });
});

it("errorMessage finds a message in whatever was thrown", () => {
  expect([new Error("text"), "word", 3, undefined].map(errorMessage)).toEqual([
    "text",
    "word",
    "3",
    "undefined",
  ]);
});
