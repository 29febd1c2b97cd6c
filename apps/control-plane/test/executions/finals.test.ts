import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFinals, type Finals } from "../../src/executions/finals.ts";
import { openTestStore, type TestStore } from "../support/records.ts";

describe("waiting for the end of an execution", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let finals: Finals;
  let over: boolean;
  let looks: number;

  beforeEach(() => {
    clock = createVirtualClock();
    at = openTestStore(clock);
    finals = createFinals({ bus: at.bus, clock, topic: "execution" });
    [over, looks] = [false, 0];
  });
  afterEach(async () => {
    finals.close();
    await at.close();
  });

  const isOver = async (): Promise<boolean> => {
    looks += 1;
    return over;
  };
  const ends = (id: string, status: string): Promise<void> =>
    at.bus.publish("execution", { type: `execution-${status}`, id, status });

  it("looks once where it has ended already", async () => {
    over = true;
    expect(await finals.wait("exec_1", isOver, 1000)).toBe(true);
    expect(looks).toBe(1);
  });

  it("looks again when its end is announced, and at nothing else", async () => {
    const waiting = finals.wait("exec_1", isOver, 60_000);
    await clock.settle();
    await ends("exec_2", "completed");
    await ends("exec_1", "running");
    await clock.settle();
    expect(looks).toBe(1);
    over = true;
    await ends("exec_1", "failed");
    expect(await waiting).toBe(true);
    expect(looks).toBe(2);
  });

  it("hears an end that comes between its look and its wait", async () => {
    const waiting = finals.wait(
      "exec_1",
      async () => {
        const seen = over;
        over = true;
        await ends("exec_1", "completed");
        await clock.settle();
        return seen;
      },
      60_000,
    );
    expect(await waiting).toBe(true);
  });

  it("looks again after a gap: the end may be in it", async () => {
    const waiting = finals.wait("exec_1", isOver, 60_000);
    await clock.settle();
    over = true;
    at.log.drop();
    await clock.advance(10_000);
    expect(await waiting).toBe(true);
  });

  it.each(["time-out", "abort"] as const)(
    "ends with the %s, with a last look, and leaves nothing behind",
    async (how) => {
      const timers = clock.timers;
      const controller = new AbortController();
      const waiting = finals.wait("exec_1", isOver, 5000, controller.signal);
      await clock.settle();
      if (how === "abort") controller.abort();
      else await clock.advance(5000);
      expect(await waiting).toBe(false);
      expect(looks).toBe(2);
      expect(clock.timers).toBe(timers);
    },
  );

  it("wakes everybody who waits", async () => {
    const waiting = [1, 2, 3].map(() => finals.wait("exec_1", isOver, 60_000));
    await clock.settle();
    over = true;
    await ends("exec_1", "cancelled");
    expect(await Promise.all(waiting)).toEqual([true, true, true]);
  });

  it("passes on what goes wrong with the look", async () => {
    await expect(finals.wait("exec_1", () => Promise.reject(new Error("gone")), 1000)).rejects.toThrow(
      "gone",
    );
  });
});
