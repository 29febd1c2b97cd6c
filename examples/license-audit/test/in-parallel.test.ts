import { describe, expect, it } from "vitest";
import { inParallel } from "../src/in-parallel.ts";

const numbers = Array.from({ length: 20 }, (_, index) => index);

describe("inParallel", () => {
  it("gives the results in the order of the items, however they end", async () => {
    const results = await inParallel(numbers, { limit: 5 }, async (item) => {
      for (let turns = 20 - item; turns > 0; turns -= 1) await Promise.resolve();
      return item * 2;
    });
    expect(results).toEqual(numbers.map((item) => item * 2));
  });

  it("never has more than the limit under way, and uses it", async () => {
    let underWay = 0;
    let most = 0;
    await inParallel(numbers, { limit: 3 }, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await Promise.resolve();
      underWay -= 1;
    });
    expect(most).toBe(3);
  });

  it("rejects with the first failure, aborts the others and starts nothing more", async () => {
    const started: number[] = [];
    const aborted: number[] = [];
    const running = inParallel(numbers, { limit: 3 }, async (item, signal) => {
      started.push(item);
      if (item === 1) throw new Error("the second fails");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      aborted.push(item);
    });
    await expect(running).rejects.toThrow("the second fails");
    expect(started).toEqual([0, 1, 2]);
    expect(aborted).toEqual([0, 2]);
  });

  it("stops when the caller's signal aborts", async () => {
    const stop = new AbortController();
    const started: number[] = [];
    const running = inParallel(numbers, { limit: 1, signal: stop.signal }, async (item) => {
      started.push(item);
      if (item === 4) stop.abort();
    });
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect(started).toEqual([0, 1, 2, 3, 4]);
  });

  it("bears more listeners on its signal than Node takes for a leak", async () => {
    const warnings: Error[] = [];
    const record = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", record);
    await inParallel(numbers, { limit: 20 }, async (_, signal) => {
      signal.addEventListener("abort", () => {});
      await Promise.resolve();
    });
    // Warnings are emitted on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", record);
    expect(warnings).toEqual([]);
  });

  it("of nothing gives nothing", async () => {
    expect(await inParallel([], { limit: 3 }, async () => 1)).toEqual([]);
  });
});
