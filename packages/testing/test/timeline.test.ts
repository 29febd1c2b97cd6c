import { describe, expect, it } from "vitest";
import { createTimeline } from "../src/timeline.ts";

describe("time", () => {
  it("runs timers in the order in which they are due, and of one moment in the order of their arming", async () => {
    const timeline = createTimeline();
    const one = timeline.clock();
    const other = timeline.clock();
    const fired: string[] = [];
    one.after(20, () => fired.push("late"));
    other.after(10, () => fired.push("first"));
    one.after(10, () => fired.push("second"));
    await timeline.advance(20);
    expect(fired).toEqual(["first", "second", "late"]);
    expect(timeline.nowMs).toBe(20);
  });

  it("lets all promises settle between two timers", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    const seen: number[] = [];
    clock.after(1, async () => {
      for (let hop = 0; hop < 50; hop += 1) await Promise.resolve();
      seen.push(clock.now());
    });
    clock.after(2, () => seen.push(clock.now()));
    await timeline.advance(2);
    expect(seen).toEqual([1, 2]);
  });

  it("runs what a timer arms for a time that has come already", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    const fired: number[] = [];
    clock.after(5, () => clock.after(3, () => fired.push(clock.now())));
    await timeline.advance(10);
    expect(fired).toEqual([8]);
  });

  it("goes on only as far as a condition needs, and says when that is not reached", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    let count = 0;
    const stop = clock.every(10, () => {
      count += 1;
    });
    await timeline.runUntil(() => count === 3, 1000);
    expect(timeline.nowMs).toBe(30);
    await expect(timeline.runUntil(() => count === 100, 50)).rejects.toThrow("within 50 ms");
    stop();
    expect(timeline.timers).toBe(0);
  });

  it("looks at invariants after every step", async () => {
    const steps: number[] = [];
    const timeline = createTimeline({ onStep: () => steps.push(timeline.nowMs) });
    const clock = timeline.clock();
    clock.after(1, () => {});
    clock.after(4, () => {});
    await timeline.advance(10);
    expect(steps).toEqual([1, 4]);
  });

  it("that is skipped makes timers late", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    let firedAt = -1;
    clock.after(5, () => {
      firedAt = clock.now();
    });
    timeline.skip(100);
    await timeline.advance(0);
    expect(firedAt).toBe(100);
  });
});

describe("a node's clock", () => {
  it("runs at its own rate, and its timers with it", async () => {
    const timeline = createTimeline();
    const fast = timeline.clock({ rate: 2 });
    const fired: number[] = [];
    fast.after(10, () => fired.push(timeline.nowMs));
    await timeline.advance(10);
    expect([fired, fast.now()]).toEqual([[5], 20]);
    fast.setRate(0.5);
    await timeline.advance(10);
    expect([fast.now(), fast.elapsedAtMost({ monotonicMs: 0, bootMs: 0, wallMs: fast.wall() })]).toEqual([
      25, 25,
    ]);
  });

  it("never shows a timer less than the time it was armed for, whatever the rate", async () => {
    const timeline = createTimeline();
    for (const rate of [0.9, 1.1, 1 / 3, 1.0000001]) {
      const clock = timeline.clock({ rate });
      for (const ms of [0.1, 7, 333.3]) {
        const due = clock.now() + ms;
        await new Promise<void>((resolve, reject) => {
          clock.after(ms, () => (clock.now() >= due ? resolve() : reject(new Error(`${rate} ${ms}`))));
          void timeline.advance(2000);
        });
      }
    }
  });

  it("has a wall clock that is off and can be corrected, unnoticed by the others", async () => {
    const timeline = createTimeline({ startWallMs: 1000 });
    const clock = timeline.clock({ wallOffsetMs: 50 });
    const mark = clock.mark();
    expect(clock.wall()).toBe(1050);
    await timeline.advance(10);
    clock.stepWall(500);
    expect([clock.wall(), clock.now(), clock.elapsedAtLeast(mark), clock.elapsedAtMost(mark)]).toEqual([
      1560, 10, 10, 510,
    ]);
    clock.stepWall(-5000);
    expect(clock.elapsedAtMost(mark)).toBe(10);
  });

  it("stands still while its machine sleeps, with its timers, and never goes back", async () => {
    const timeline = createTimeline();
    const sleeper = timeline.clock();
    const awake = timeline.clock();
    let firedAt = -1;
    sleeper.after(10, () => {
      firedAt = timeline.nowMs;
    });
    await timeline.advance(4);
    const mark = sleeper.mark();
    sleeper.suspend(100);
    expect(sleeper.now()).toBe(4);
    await timeline.advance(60);
    expect([sleeper.now(), awake.now(), firedAt]).toEqual([4, 64, -1]);
    await timeline.advance(46);
    expect([sleeper.now(), firedAt]).toEqual([10, 110]);
    expect([sleeper.elapsedAtLeast(mark), sleeper.elapsedAtMost(mark)]).toEqual([6, 106]);
  });

  it("goes on while its event loop is blocked, and its timers come late", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    let firedAt = -1;
    clock.after(10, () => {
      firedAt = clock.now();
    });
    clock.stall(50);
    await timeline.advance(100);
    expect(firedAt).toBe(50);
  });

  it("fires nothing any more once its process is killed", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    clock.every(1, () => {
      throw new Error("a dead process runs");
    });
    clock.kill();
    clock.after(1, () => {
      throw new Error("a dead process arms timers");
    });
    await timeline.advance(10);
    expect(clock.timers).toBe(0);
  });
});

describe("sleeping", () => {
  it("resolves when the time has passed", async () => {
    const timeline = createTimeline();
    const clock = timeline.clock();
    let isAwake = false;
    void clock.sleep(10).then(() => {
      isAwake = true;
    });
    await timeline.advance(9);
    expect(isAwake).toBe(false);
    await timeline.advance(1);
    expect(isAwake).toBe(true);
  });

  it("ends at once when its signal aborts, and leaves no timer", async () => {
    const clock = createTimeline().clock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort("why");
    await expect(sleep).rejects.toMatchObject({ code: "aborted", cause: "why" });
    await expect(clock.sleep(10, controller.signal)).rejects.toMatchObject({ code: "aborted" });
    expect(clock.timers).toBe(0);
  });
});
