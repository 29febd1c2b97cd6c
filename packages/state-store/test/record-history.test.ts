import { describe, expect, it } from "vitest";
import { contradiction, type Operation } from "./support/record-history.ts";

type Times = readonly [beganMs: number, endedMs: number];
const at = ([beganMs, endedMs]: Times) => ({ beganMs, endedMs });
const read = (times: Times, version?: number, value = ""): Operation => ({
  ...{ type: "read", ...at(times), seen: version === undefined ? undefined : { version, value } },
});
const create = (times: Times, value: string): Operation => ({
  ...{ type: "create", ...at(times), value, answer: { outcome: "ok", version: 1 } },
});
const update = (times: Times, value: string, version: number, expected?: number): Operation => ({
  ...{ type: "update", ...at(times), value, expected, answer: { outcome: "ok", version } },
});
const refused = (times: Times, version: number, expected: number): Operation => ({
  ...{ type: "update", ...at(times), value: "refused", expected, answer: { outcome: "conflict", version } },
});
const lost = (times: Times, value: string, expected?: number): Operation => ({
  ...{ type: "update", ...at(times), value, expected, answer: { outcome: "unknown" } },
});
const remove = (times: Times, version: number): Operation => ({
  ...{ type: "delete", ...at(times), expected: undefined, answer: { outcome: "ok", version } },
});

describe("the check of histories", () => {
  it("accepts what some order explains", () => {
    const histories: Operation[][] = [
      [read([0, 1]), create([2, 3], "a"), read([4, 5], 1, "a"), refused([6, 7], 1, 9)],
      // Overlapping operations in either order.
      [create([0, 1], "a"), update([2, 9], "b", 2), read([3, 4], 1, "a"), read([5, 6], 2, "b")],
      // Without an answer: it took effect late, early, or never.
      [
        create([0, 1], "a"),
        lost([2, 3], "b"),
        read([4, 5], 1, "a"),
        read([6, 7], 2, "b"),
        update([8, 9], "c", 3),
      ],
      [create([0, 1], "a"), lost([2, 3], "b"), update([4, 5], "c", 2)],
      [
        create([0, 1], "a"),
        lost([2, 3], "b"),
        lost([2, 3], "c"),
        update([4, 5], "d", 4),
        read([6, 7], 4, "d"),
      ],
      // A second life begins with version 1.
      [create([0, 1], "a"), update([2, 3], "b", 2), remove([4, 5], 3), read([6, 7]), create([8, 9], "c")],
      [
        create([0, 1], "a"),
        { ...remove([2, 3], 2), answer: { outcome: "unknown" } },
        create([4, 5], "b"),
      ] as Operation[],
    ];
    for (const history of histories) expect(contradiction(history)).toBeUndefined();
  });

  it("finds what no order explains", () => {
    const broken: Operation[][] = [
      // Lost: acknowledged, and gone.
      [create([0, 1], "a"), read([2, 3])],
      [create([0, 1], "a"), update([2, 3], "b", 2), read([4, 5], 1, "a")],
      [create([0, 1], "a"), update([2, 3], "b", 2), create([4, 5], "c")],
      // Twice.
      [create([0, 1], "a"), update([2, 3], "b", 2), update([4, 5], "c", 4)],
      [create([0, 1], "a"), lost([2, 3], "b"), read([4, 5], 3, "b")],
      [
        create([0, 1], "a"),
        lost([2, 3], "b"),
        read([4, 5], 2, "b"),
        update([6, 7], "c", 3),
        read([8, 9], 4, "b"),
      ],
      // Although a condition stood against it.
      [create([0, 1], "a"), update([2, 3], "b", 2, 7)],
      [create([0, 1], "a"), lost([2, 3], "b", 2), read([4, 5], 2, "b")],
      [create([0, 1], "a"), refused([2, 3], 2, 1)],
      // From nowhere, or before its time.
      [create([0, 1], "a"), read([2, 3], 2, "x")],
      [create([4, 5], "a"), read([1, 2], 1, "a")],
      [create([0, 1], "a"), read([2, 3], 2, "b"), lost([4, 5], "b")],
      // Seen new, then old.
      [create([0, 1], "a"), update([2, 9], "b", 2), read([3, 4], 2, "b"), read([5, 6], 1, "a")],
    ];
    for (const history of broken)
      expect(contradiction(history), JSON.stringify(history)).toBeTypeOf("string");
  });

  it("needs little time for a long history with many calls that got no answer", () => {
    const history: Operation[] = [create([0, 1], "v1")];
    for (let version = 2; version < 1500; version += 1) {
      const from = version * 10;
      if (version % 5 === 0) history.push(lost([from, from + 9], `v${version}`));
      else
        history.push(
          update([from, from + 9], `v${version}`, version),
          read([from + 5, from + 15], version, `v${version}`),
        );
    }
    expect(contradiction(history)).toBeUndefined();
  });
});
