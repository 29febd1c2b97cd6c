import { describe, expect, it } from "vitest";
import { contradictions, type Operation } from "./support/register-history.ts";

const read = (beganMs: number, endedMs: number, version: number, value: string): Operation => ({
  ...{ type: "read", beganMs, endedMs, version, value },
});
const write = (beganMs: number, endedMs: number, version: number, value: string): Operation => ({
  ...{ type: "write", beganMs, endedMs, version, value },
});

describe("the check of histories", () => {
  it("accepts what some order explains", () => {
    const history: Operation[] = [
      write(0, 1, 1, "a"),
      { type: "unknown", beganMs: 2, endedMs: 3, value: "b" },
      read(4, 5, 1, "a"),
      read(6, 7, 2, "b"),
      write(6, 9, 3, "c"),
      read(6, 8, 3, "c"),
      { type: "refused", beganMs: 10, endedMs: 11, version: 3, value: "d" },
    ];
    expect(contradictions(history)).toEqual([]);
  });

  it("finds what no order explains", () => {
    const broken: Operation[][] = [
      [write(0, 1, 1, "a"), write(2, 3, 1, "b")],
      [write(0, 1, 2, "a"), write(2, 3, 1, "b")],
      [write(0, 1, 1, "a"), write(2, 3, 2, "b"), read(4, 5, 1, "a")],
      [write(0, 1, 1, "a"), read(2, 3, 2, "x")],
      [write(4, 5, 1, "a"), read(1, 2, 1, "a")],
      [write(0, 1, 1, "a"), read(2, 3, 2, "a")],
      [write(0, 1, 1, "a"), read(2, 4, 2, "b"), read(5, 6, 1, "a"), write(2, 9, 2, "b")],
      [{ type: "unknown", beganMs: 0, endedMs: 1, value: "a" }, read(2, 3, 1, "a"), read(4, 5, 3, "a")],
      [{ type: "refused", beganMs: 0, endedMs: 1, version: 1, value: "a" }, read(2, 3, 2, "a")],
    ];
    for (const history of broken) expect(contradictions(history)).not.toEqual([]);
  });
});
