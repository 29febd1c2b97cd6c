import { describe, expect, it } from "vitest";
import { oneAtATime } from "../../src/executions/one-at-a-time.ts";

describe("one at a time", () => {
  it("lets one more run follow for all who called during a run", async () => {
    const ends: (() => void)[] = [];
    const run = oneAtATime(() => new Promise((resolve) => ends.push(resolve)));
    const first = run();
    const second = run();
    const third = run();
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await new Promise(setImmediate);
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await Promise.all([first, second, third]);
    expect(ends).toHaveLength(2);
  });

  it("runs again after a run that failed", async () => {
    let runs = 0;
    const run = oneAtATime(async () => {
      runs += 1;
      if (runs === 1) throw new Error("once");
    });
    await expect(run()).rejects.toThrow("once");
    await run();
    expect(runs).toBe(2);
  });
});
