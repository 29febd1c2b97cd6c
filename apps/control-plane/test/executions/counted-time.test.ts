import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { createCountedTime, waitBeforeMs } from "../../src/executions/counted-time.ts";
import { createStoreTime, type StoreTime } from "../../src/store-time.ts";

const checkIntervalMs = 1000;

describe("the time that counts against deadlines (X8)", () => {
  let clock: VirtualClock;
  let counted: StoreTime;
  let outages: number[];

  beforeEach(() => {
    clock = createVirtualClock();
    outages = [];
    counted = createCountedTime({
      clock,
      storeTime: createStoreTime(clock, 0),
      checkIntervalMs,
      onOutage: (ms) => outages.push(ms),
    });
  });

  it("goes on while the store answers at every interval", async () => {
    for (let seconds = 1; seconds <= 10; seconds += 1) {
      await clock.advance(checkIntervalMs);
      counted.observe(seconds * 1000);
      expect(counted.now()).toBe(seconds * 1000);
    }
    expect(outages).toEqual([]);
  });

  it("stands still from the first answer that is missed, until there is one again", async () => {
    await clock.advance(9000);
    expect(counted.now()).toBe(checkIntervalMs);
    await clock.advance(2500);
    expect(counted.now()).toBe(checkIntervalMs);
  });

  it("tells by how much whatever is open may take longer, before it goes on", async () => {
    await clock.advance(9000);
    counted.observe(9000);
    expect(outages).toEqual([8000]);
    expect(counted.outageMs()).toBe(8000);
    expect(counted.now()).toBe(9000);
  });

  it("takes a write that was answered for an answer", async () => {
    await clock.advance(9000);
    counted.observe(9010);
    expect(outages).toEqual([8000]);
    expect(counted.now()).toBe(9010);
  });

  it("does not count what a machine that slept has not seen pass", () => {
    counted.observe(7000);
    expect(outages).toEqual([7000]);
    expect(counted.now()).toBe(7000);
  });

  it("does not count for how long a submitter waited for its record", () => {
    const record = { createdAt: new Date(10_000).toISOString() };
    expect(waitBeforeMs(record, 10_200)).toBe(0);
    expect(waitBeforeMs(record, 17_000)).toBe(7000);
  });
});
