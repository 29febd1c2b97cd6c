import { getEventListeners } from "node:events";
import { isParallaxError } from "@parallax/core";
import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it, vi } from "vitest";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../src/event-bus.ts";
import { memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";
import { settle } from "./settle.ts";

type Items = AsyncIterableIterator<Delivered | Gap>;

const makeBus = (partitions = 1): EventBus =>
  createEventBus({ store: memoryTopicLog(memoryEventLogSpace({ partitions })) });

async function publish(bus: EventBus, count: number, key?: string): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => ({ type: `e${index}` }));
  await Promise.all(events.map((event) => bus.publish("execution", event, key === undefined ? {} : { key })));
  await settle();
}

const label = (item: Delivered | Gap): string =>
  item.type === "event" ? `${item.sequence}` : `${item.reason} ${item.from}-${item.to}`;

async function take(items: Items, count: number): Promise<string[]> {
  const labels: string[] = [];
  while (labels.length < count) {
    const { value, done } = await items.next();
    if (done) break;
    labels.push(label(value));
  }
  return labels;
}

/** Begins to iterate: the first event is taken, so that the rest has to wait. */
async function begin(bus: EventBus, options: Parameters<EventBus["iterate"]>[1]): Promise<Items> {
  const items = bus.iterate("execution", options);
  const first = items.next();
  await settle();
  await publish(bus, 1);
  await first;
  return items;
}

describe("iterating", () => {
  it("waits for events and ends when the signal aborts", async () => {
    const bus = makeBus();
    const controller = new AbortController();
    const items = bus.iterate("execution", { signal: controller.signal });
    const labels = take(items, 10);
    await settle();
    await publish(bus, 3);
    controller.abort();
    expect(await labels).toEqual(["1", "2", "3"]);
  });

  it("leaves nothing behind at a signal that outlives it", async () => {
    const any = vi.spyOn(AbortSignal, "any");
    const bus = makeBus();
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round += 1) {
      const items = await begin(bus, { signal });
      await items.return?.();
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
    // Node 20 keeps what `any` makes for as long as its sources live.
    expect(any).not.toHaveBeenCalled();
    any.mockRestore();
  });

  it("ends when the bus is closed", async () => {
    const bus = makeBus();
    const labels = take(bus.iterate("execution"), 10);
    await settle();
    await bus.close();
    expect(await labels).toEqual([]);
  });

  it("leaving the loop ends the subscription", async () => {
    const bus = makeBus();
    await publish(bus, 3);
    for await (const item of bus.iterate("execution", { from: "start" })) {
      expect(label(item)).toBe("1");
      break;
    }
    await publish(bus, 3);
    expect(bus.stats().delivered).toBe(3);
  });

  it("fails for a consumer that is too slow, and hands over nothing after what is missing", async () => {
    const bus = makeBus();
    const items = await begin(bus, { limit: 2 });
    await publish(bus, 3);
    expect(await take(items, 1)).toEqual(["2"]);
    await publish(bus, 1);
    expect(await take(items, 1)).toEqual(["3"]);
    await expect(items.next()).rejects.toSatisfy((error) => isParallaxError(error, "overflow"));
  });

  it("E1: reports what was dropped as oldest before what is left", async () => {
    const bus = makeBus();
    const items = await begin(bus, { limit: 2, overflow: "drop-oldest" });
    await publish(bus, 5);
    expect(await take(items, 3)).toEqual(["overflow 2-4", "5", "6"]);
    expect(bus.stats().gaps.overflow).toBe(1);
  });

  it("E1: reports what was dropped as newest after what was kept, and before what follows", async () => {
    const bus = makeBus();
    const items = await begin(bus, { limit: 2, overflow: "drop-newest" });
    await publish(bus, 5);
    expect(await take(items, 1)).toEqual(["2"]);
    await publish(bus, 1);
    expect(await take(items, 2)).toEqual(["3", "overflow 4-7"]);
    await publish(bus, 1);
    expect(await take(items, 1)).toEqual(["8"]);
  });

  it("E1: reports what was dropped for each partition", async () => {
    const bus = makeBus(4);
    const items = await begin(bus, { limit: 1, overflow: "drop-oldest" });
    for (const key of ["a", "b", "c", "d", "e", "f"]) await publish(bus, 2, key);
    const seen: (Delivered | Gap)[] = [];
    while (seen.length === 0 || seen.at(-1)?.type === "gap") {
      const { value, done } = await items.next();
      if (done) break;
      seen.push(value);
    }
    const covered = seen.reduce(
      (sum, item) => sum + (item.type === "event" ? 1 : (item.to ?? 0) - item.from + 1),
      0,
    );
    expect(covered).toBe(12);
  });

  it("continues after the cursor of an overflow gap", async () => {
    const bus = makeBus();
    const items = await begin(bus, { limit: 2, overflow: "drop-oldest" });
    await publish(bus, 5);
    const { value: gap } = await items.next();
    const rest = bus.iterate("execution", { from: { cursor: gap.cursor } });
    expect(await take(rest, 2)).toEqual(["5", "6"]);
  });

  it("reads what lies in the log as fast as it is consumed, without an overflow", async () => {
    const bus = makeBus();
    await publish(bus, 50);
    const items = bus.iterate("execution", { from: "start", limit: 5 });
    expect(await take(items, 3)).toEqual(["1", "2", "3"]);
    // What is published while it catches up waits in the log, too.
    await publish(bus, 50);
    const rest = await take(items, 97);
    expect(rest).toEqual(Array.from({ length: 97 }, (_, index) => `${index + 4}`));
  });

  it("shares its buffer among the partitions that catch up", async () => {
    const bus = makeBus(16);
    for (let key = 0; key < 64; key += 1) await publish(bus, 10, `k${key}`);
    const seen = await take(bus.iterate("execution", { from: "start", limit: 20 }), 640);
    expect(seen).toHaveLength(640);
    expect(seen.filter((each) => each.includes("overflow"))).toEqual([]);
  });

  it("is no reason to take the channel for dead while the consumer takes its time", async () => {
    const clock = createVirtualClock();
    const store = memoryTopicLog(memoryEventLogSpace(), { clock });
    const recycle = vi.spyOn(store, "recycle");
    const bus = createEventBus({ store, clock, checkIntervalMs: 1000 });
    await publish(bus, 50);
    await bus.iterate("execution", { from: "start", limit: 5 }).next();
    await clock.advance(10_000);
    expect([bus.stats().live, recycle.mock.calls.length]).toEqual([true, 0]);
  });
});
