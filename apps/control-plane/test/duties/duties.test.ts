import { noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLeadership, type Duty } from "../../src/duties/duties.ts";
import { openTestStore, startMs, type TestStore } from "../support/records.ts";
import { type TestTerm, testTerm } from "../support/terms.ts";

describe("leading", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let term: TestTerm;
  /** What happened, in order. */
  let seen: string[];

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    at = openTestStore(clock);
    term = testTerm(7);
    seen = [];
  });
  afterEach(() => at.close());

  const duty = (name: string, everyMs: number, run: (term: { token: number }) => Promise<void>): Duty => ({
    name,
    everyMs,
    run,
  });

  function lead(duties: readonly Duty[], store = at.store): Promise<void> {
    const onRun = (name: string, _: number, ok: boolean): void =>
      void seen.push(`${name} ${ok ? "ok" : "failed"}`);
    return createLeadership({ store, duties, clock, logger: noopLogger, onRun })(term);
  }

  it("raises the fence in every partition before its first duty (L8)", async () => {
    const store = {
      ...at.store,
      async raiseFence(token: number) {
        const raised = await at.store.raiseFence(token);
        seen.push(`fence ${token}`);
        return raised;
      },
    };
    const leading = lead([duty("d", 1000, async ({ token }) => void seen.push(`run ${token}`))], store);
    await clock.settle();
    term.end();
    await leading;
    expect(seen.slice(0, 2)).toEqual(["fence 7", "run 7"]);
    expect(await at.store.raiseFence(6)).toEqual({ outcome: "fenced", fence: 7 });
  });

  it("does no duty under a term that the store has seen a higher one of, and asks for a new one", async () => {
    await at.store.raiseFence(9);
    const leading = lead([duty("d", 1000, async () => void seen.push("run"))]);
    await clock.advance(10_000);
    expect(term.reissued).toEqual([9]);
    expect(seen).toEqual([]);
    term.end();
    await leading;
  });

  it("tries the fence again while the store is away", async () => {
    let failures = 2;
    const store = {
      ...at.store,
      raiseFence: async (token: number) => {
        failures -= 1;
        if (failures >= 0) throw new Error("away");
        return at.store.raiseFence(token);
      },
    };
    const leading = lead([duty("d", 1000, async () => {})], store);
    await clock.advance(1000);
    expect(seen).toEqual(["d ok"]);
    term.end();
    await leading;
  });

  it("repeats each duty after its own time, and goes on when one fails", async () => {
    const leading = lead([
      duty("often", 1000, async () => {}),
      duty("broken", 2000, async () => Promise.reject(new Error("no"))),
    ]);
    await clock.advance(2500);
    expect(seen.filter((line) => line === "often ok")).toHaveLength(3);
    expect(seen.filter((line) => line === "broken failed")).toHaveLength(2);
    term.end();
    await leading;
  });

  it("ends when its term ends, and not before its last duty has stopped (L4)", async () => {
    let finish: () => void = () => {};
    let over = false;
    const leading = lead([duty("slow", 1000, () => new Promise((resolve) => (finish = resolve)))]);
    void leading.then(() => {
      over = true;
    });
    await clock.advance(5000);
    term.end();
    await clock.settle();
    expect(over).toBe(false);
    finish();
    await leading;
    expect(clock.timers).toBe(0);
  });

  it("lasts as long as its term even without duties", async () => {
    let over = false;
    const leading = lead([]).then(() => {
      over = true;
    });
    await clock.advance(60_000);
    expect(over).toBe(false);
    term.end();
    await leading;
  });
});
