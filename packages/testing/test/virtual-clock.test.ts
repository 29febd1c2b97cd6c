import { expect, it } from "vitest";
import { createVirtualClock } from "../src/virtual-clock.ts";

it("moves only when it is told to", async () => {
  const clock = createVirtualClock({ startWallMs: 5 });
  const fired: number[] = [];
  const stop = clock.every(10, () => fired.push(clock.now()));
  await clock.settle();
  expect([clock.now(), clock.wall(), fired]).toEqual([0, 5, []]);
  await clock.advance(25);
  await clock.advanceTo(31);
  await clock.advanceTo(2);
  expect([clock.now(), clock.wall(), fired]).toEqual([31, 36, [10, 20, 30]]);
  await clock.runUntil(() => fired.length === 5, 100);
  expect(clock.now()).toBe(50);
  stop();
  expect(clock.timers).toBe(0);
});

it("has slept at once: boot time and wall clock have gone on, the rest stood still", async () => {
  const clock = createVirtualClock();
  let fired = false;
  clock.after(10, () => {
    fired = true;
  });
  const mark = clock.mark();
  clock.suspend(1000);
  expect([clock.now(), clock.elapsedAtLeast(mark), clock.elapsedAtMost(mark)]).toEqual([0, 0, 1000]);
  await clock.advance(9);
  expect(fired).toBe(false);
  await clock.advance(1);
  expect([fired, clock.now()]).toEqual([true, 10]);
});
