import { getEventListeners } from "node:events";
import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { withDeadline } from "../src/deadline.ts";

describe("a deadline", () => {
  const options = { timeoutMs: 100, what: "asking the store" };

  it("gives what the work gives, and leaves no timer", async () => {
    const clock = createVirtualClock();
    expect(await withDeadline(Promise.resolve("done"), { clock, ...options })).toBe("done");
    await expect(withDeadline(Promise.reject(new Error("no")), { clock, ...options })).rejects.toThrow("no");
    expect(clock.timers).toBe(0);
  });

  it("gives up in time, and says that the outcome is unknown", async () => {
    const clock = createVirtualClock();
    const waiting = expect(withDeadline(new Promise(() => {}), { clock, ...options })).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/^asking the store took longer than 100 ms; its outcome is unknown/),
      details: { timeoutMs: 100 },
    });
    await clock.advance(99);
    expect(clock.timers).toBe(1);
    await clock.advance(1);
    await waiting;
  });

  it("ends early with its signal, and leaves neither a timer nor a listener", async () => {
    const clock = createVirtualClock();
    const stopping = new AbortController();
    const { signal } = stopping;
    const waiting = withDeadline(new Promise(() => {}), { clock, ...options, signal });
    stopping.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    await expect(withDeadline(new Promise(() => {}), { clock, ...options, signal })).rejects.toMatchObject({
      code: "aborted",
    });
    expect(clock.timers).toBe(0);
    const other = new AbortController();
    await withDeadline(Promise.resolve(), { clock, ...options, signal: other.signal });
    expect(getEventListeners(other.signal, "abort")).toEqual([]);
  });

  it("observes a rejection of the work that it has given up", async () => {
    const clock = createVirtualClock();
    let fail: (error: Error) => void = () => {};
    const work = new Promise((_, reject) => {
      fail = reject;
    });
    const waiting = expect(withDeadline(work, { clock, ...options })).rejects.toMatchObject({
      code: "timeout",
    });
    await clock.advance(100);
    await waiting;
    // vitest fails the run for an unhandled rejection.
    fail(new Error("too late"));
    await clock.settle();
  });
});
