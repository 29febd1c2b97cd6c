import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type IterateOptions, iterate, type OverflowPolicy } from "../src/iterate.ts";
import { createListeners, type Listeners } from "../src/listeners.ts";

const source = <Event = number>(): Listeners<Event> =>
  createListeners<Event>((error) => {
    throw error;
  });
const over = <Event>(
  events: Listeners<Event>,
  options?: IterateOptions,
): AsyncGenerator<Event, void, undefined> => iterate((listener) => events.subscribe(listener), options);
const moment = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("iterating over events", () => {
  it("delivers what comes while it waits and while it works, in order", async () => {
    const events = source();
    const seen: number[] = [];
    const loop = (async () => {
      for await (const event of over(events)) {
        seen.push(event);
        if (event === 4) break;
        await moment();
      }
    })();
    await moment();
    events.emit(1);
    await moment();
    for (const event of [2, 3, 4, 5]) events.emit(event);
    await loop;
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it("delivers events that are undefined, null or false as any other", async () => {
    const events = source<unknown>();
    const iterator = over(events);
    const first = iterator.next();
    for (const event of [undefined, null, false, 0]) events.emit(event);
    expect([await first, await iterator.next(), await iterator.next(), await iterator.next()]).toEqual(
      [undefined, null, false, 0].map((value) => ({ value, done: false })),
    );
  });

  it.each(["break", "throw", "abort"])("unsubscribes when the loop is left by %s", async (way) => {
    const events = source();
    const controller = new AbortController();
    const loop = (async () => {
      for await (const _ of over(events, { signal: controller.signal })) {
        if (way === "break") break;
        if (way === "throw") throw new Error("left");
        controller.abort();
      }
    })().catch((error: unknown) => error);
    await moment();
    expect(events.size).toBe(1);
    events.emit(1);
    await loop;
    expect(events.size).toBe(0);
  });

  it("ends when its signal aborts while it waits, and does not begin on an aborted one", async () => {
    const events = source();
    const controller = new AbortController();
    const next = over(events, { signal: controller.signal }).next();
    await moment();
    controller.abort();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(await over(events, { signal: controller.signal }).next()).toEqual({
      value: undefined,
      done: true,
    });
    expect(events.size).toBe(0);
  });
});

describe("a consumer that is too slow", () => {
  async function after(overflow: OverflowPolicy, count: number, limit: number): Promise<unknown[]> {
    const events = source();
    const iterator = over(events, { limit, overflow });
    const first = iterator.next();
    events.emit(0);
    const seen: unknown[] = [(await first).value];
    for (let event = 1; event <= count; event += 1) events.emit(event);
    const controller = setImmediate(() => void iterator.return());
    try {
      for (let left = Math.min(count, limit); left > 0; left -= 1) seen.push((await iterator.next()).value);
      if (overflow === "error" && count > limit) await iterator.next();
    } catch (error) {
      seen.push(error);
    }
    clearImmediate(controller);
    await iterator.return();
    expect(events.size).toBe(0);
    return seen;
  }

  it("is told so, after what came before", async () => {
    expect(await after("error", 5, 3)).toEqual([
      0,
      1,
      2,
      3,
      expect.objectContaining({ code: "overflow", details: { limit: 3 } }),
    ]);
  });

  it("never gets what came after the hole as if there were none", async () => {
    const events = source();
    const iterator = over(events, { limit: 2 });
    const first = iterator.next();
    for (const event of [1, 2, 3]) events.emit(event);
    expect((await first).value).toBe(1);
    // There is room again, but 3 is lost.
    events.emit(4);
    expect((await iterator.next()).value).toBe(2);
    events.emit(5);
    await expect(iterator.next()).rejects.toMatchObject({ code: "overflow" });
  });

  it("loses the oldest or the newest where it chose to", async () => {
    expect(await after("drop-oldest", 5, 3)).toEqual([0, 3, 4, 5]);
    expect(await after("drop-newest", 5, 3)).toEqual([0, 1, 2, 3]);
  });

  it("keeps within its limit whatever comes, and delivers in order", async () => {
    const policies = fc.constantFrom<OverflowPolicy>("error", "drop-oldest", "drop-newest");
    const counts = fc.integer({ min: 0, max: 40 });
    await fc.assert(
      fc.asyncProperty(policies, counts, fc.integer({ min: 1, max: 20 }), async (overflow, count, limit) => {
        const seen = (await after(overflow, count, limit)).filter((event) => typeof event === "number");
        expect(seen.length).toBe(1 + Math.min(count, limit));
        expect(seen).toEqual([...seen].sort((left, right) => left - right));
      }),
      { numRuns: 60 },
    );
  });
});
