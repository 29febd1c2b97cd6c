import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../src/durations.ts";

describe("reading a duration", () => {
  it.each<[unknown, number]>([
    ["250ms", 250],
    ["15s", 15_000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    ["1.5s", 1500],
    ["1.1h", 3_960_000],
    ["0s", 0],
    [" 3s ", 3000],
    ["1500", 1500],
    [1500, 1500],
    [0, 0],
    [0.5, 0.5],
  ])("%j is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "",
    "s",
    "15 s",
    "15S",
    "15sec",
    "1d",
    "-1s",
    "1,5s",
    ".5s",
    "1.s",
    "1e3",
    "Infinity",
    "9".repeat(400),
    "9".repeat(400).concat("h"),
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    {},
    [15],
    true,
  ])("refuses %j, and says how to write one", (value) => {
    expect(() => parseDuration(value)).toThrow(
      expect.objectContaining({
        code: "invalid_duration",
        message: expect.stringMatching(/250ms, 15s, 1m, 2h/),
      }),
    );
  });

  it("never gives anything but a finite number of milliseconds, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,400}\.?\d{0,5}(ms|s|m|h)?$/)), (text) => {
        try {
          const ms = parseDuration(text);
          return Number.isFinite(ms) && ms >= 0;
        } catch (error) {
          return error instanceof Error && "code" in error && error.code === "invalid_duration";
        }
      }),
    );
  });
});

describe("writing a duration", () => {
  it.each([
    [0, "0ms"],
    [250, "250ms"],
    [999, "999ms"],
    [1000, "1s"],
    [1500, "1.5s"],
    [1250, "1250ms"],
    [90_000, "1.5m"],
    [600_000, "10m"],
    [86_400_000, "24h"],
    [5_400_000, "1.5h"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("is read back as the same duration", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e11 }), (ms) => parseDuration(formatDuration(ms)) === ms),
      { examples: [[3_960_000], [6000], [359_999]] },
    );
  });
});
