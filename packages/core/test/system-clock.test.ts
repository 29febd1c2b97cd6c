import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../src/system-clock.ts";

describe("the clock of this process", () => {
  it("measures at least and at most, of which at least is never more", async () => {
    const mark = systemClock.mark();
    await systemClock.sleep(20);
    const least = systemClock.elapsedAtLeast(mark);
    expect(least).toBeGreaterThanOrEqual(19);
    expect(systemClock.elapsedAtMost(mark)).toBeGreaterThanOrEqual(least);
  });

  it("counts a wall clock that was set forward as time that may have passed, and not one that was set back", () => {
    const now = systemClock.mark();
    // T3: a suspended machine shows as a wall clock and a boot time that are ahead of the monotonic clock.
    const wallAhead = { ...now, wallMs: now.wallMs - 60_000 };
    const wallBehind = { ...now, wallMs: now.wallMs + 60_000 };
    const bootAhead = { ...now, bootMs: now.bootMs - 60_000 };
    expect(systemClock.elapsedAtMost(wallAhead)).toBeGreaterThanOrEqual(60_000);
    expect(systemClock.elapsedAtMost(bootAhead)).toBeGreaterThanOrEqual(60_000);
    expect(systemClock.elapsedAtMost(wallBehind)).toBeLessThan(1000);
    for (const mark of [wallAhead, wallBehind, bootAhead])
      expect(systemClock.elapsedAtLeast(mark)).toBeLessThan(1000);
  });

  it("shows the wall's time in epoch milliseconds", () => {
    expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(100);
  });
});

describe("timers", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("fire once after their time, or every so often, until they are cancelled", () => {
    const fired: string[] = [];
    systemClock.after(10, () => fired.push("once"));
    const cancel = systemClock.after(10, () => fired.push("cancelled"));
    const stop = systemClock.every(4, () => fired.push("every"));
    cancel();
    vi.advanceTimersByTime(13);
    stop();
    stop();
    vi.advanceTimersByTime(100);
    expect(fired).toEqual(["every", "every", "once", "every"]);
  });

  it("wait for longer than setTimeout can, and can be cancelled all the while", () => {
    const month = 30 * 86_400_000;
    let fired = 0;
    systemClock.after(month, () => {
      fired += 1;
    });
    const cancel = systemClock.after(month, () => expect.unreachable());
    vi.advanceTimersByTime(month - 1);
    expect(fired).toBe(0);
    cancel();
    vi.advanceTimersByTime(1);
    expect([fired, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it("of the past fire as soon as they can", () => {
    let fired = false;
    systemClock.after(-5, () => {
      fired = true;
    });
    vi.advanceTimersByTime(0);
    expect(fired).toBe(true);
  });

  it("of a sleep are gone when its signal aborts", async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(1000, controller.signal);
    controller.abort("why");
    await expect(sleeping).rejects.toMatchObject({ code: "aborted", cause: "why" });
    await expect(systemClock.sleep(1000, controller.signal)).rejects.toMatchObject({ code: "aborted" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
