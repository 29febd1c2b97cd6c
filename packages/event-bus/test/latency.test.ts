import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { createLatencyWindow } from "../src/latency.ts";
import { createSyncLatency } from "../src/sync-latency.ts";

describe("a latency window", () => {
  it("gives quantiles within five per cent", () => {
    const window = createLatencyWindow(createVirtualClock());
    for (let ms = 1; ms <= 1000; ms += 1) window.add(ms);
    const { count, sumMs, quantile } = window.summary();
    expect([count, sumMs]).toEqual([1000, 500_500]);
    for (const [q, exact] of [
      [0, 1],
      [0.5, 500],
      [0.9, 900],
      [0.99, 990],
      [1, 1000],
    ] as const) {
      expect(quantile(q)).toBeGreaterThanOrEqual(exact);
      expect(quantile(q)).toBeLessThanOrEqual(exact * 1.0501);
    }
  });

  it("forgets for its quantiles what is older than five minutes, and keeps count and sum", async () => {
    const clock = createVirtualClock();
    const window = createLatencyWindow(clock);
    window.add(1000);
    await clock.advance(4 * 60_000);
    window.add(1);
    expect(window.summary().quantile(1)).toBeGreaterThanOrEqual(1000);
    await clock.advance(60_000);
    expect(window.summary().quantile(1)).toBeLessThan(2);
    expect(window.summary().count).toBe(2);
    await clock.advance(10 * 60_000);
    expect(window.summary().quantile(1)).toBeNaN();
  });

  it("takes the extremes without losing them", () => {
    const window = createLatencyWindow(createVirtualClock());
    for (const ms of [-5, 0, 1e9]) window.add(ms);
    expect(window.summary().quantile(0)).toBe(0.01);
    expect(window.summary().quantile(1)).toBeGreaterThan(120_000);
  });
});

it("remembers a bounded number of events that never arrive", () => {
  const latency = createSyncLatency(createVirtualClock());
  for (let index = 0; index < 20_000; index += 1) latency.sent([`t${index}`], 0);
  latency.delivered("t0");
  expect(latency.summary().count).toBe(0);
  latency.delivered("t19999");
  expect(latency.summary().count).toBe(1);
});
