import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { defaultLoopBounds, isOverloaded, type LoopUsage, watchEventLoop } from "../src/event-loop.ts";

describe("the overload of an event loop", () => {
  it("begins at a bound and ends below four fifths of it", () => {
    const at = (before: boolean, utilization: number, delayMs: number): boolean =>
      isOverloaded(before, { utilization, delayMs }, defaultLoopBounds);
    expect(at(false, 0.94, 999)).toBe(false);
    expect(at(false, 0.95, 0)).toBe(true);
    expect(at(false, 0, 1000)).toBe(true);
    expect(at(true, 0.8, 0)).toBe(true);
    expect(at(true, 0, 801)).toBe(true);
    expect(at(true, 0.75, 799)).toBe(false);
  });

  it("is judged by the last window alone, not by the average since the start", async () => {
    const clock = createVirtualClock();
    let usage: LoopUsage = { active: 0, idle: 3_600_000 };
    const watch = watchEventLoop({
      clock,
      bounds: defaultLoopBounds,
      onWindow: () => {},
      usage: () => usage,
    });
    usage = { active: 5000, idle: 3_600_000 };
    await clock.advance(5000);
    expect(watch.load()).toMatchObject({ utilization: 1, overloaded: true });
    usage = { active: 5000, idle: 3_605_000 };
    await clock.advance(5000);
    expect(watch.load()).toMatchObject({ utilization: 0, overloaded: false });
    watch.stop();
  });

  it("sees a single stall that an average hides, for one window", async () => {
    const clock = createVirtualClock();
    let nowMs = 0;
    const skipping = { ...clock, now: () => clock.now() + nowMs };
    const watch = watchEventLoop({
      clock: skipping,
      bounds: defaultLoopBounds,
      onWindow: () => {},
      usage: () => ({ active: 0, idle: 1 }),
    });
    await clock.advance(2000);
    // The next tick comes 1.5 s late.
    nowMs += 1500;
    await clock.advance(3500);
    expect(watch.load().delayMs).toBe(1500);
    expect(watch.load().overloaded).toBe(true);
    await clock.advance(5000);
    expect(watch.load()).toMatchObject({ delayMs: 0, overloaded: false });
    watch.stop();
    expect(clock.timers).toBe(0);
  });
});
