import { isParallaxError } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { describe, expect, it, vi } from "vitest";
import {
  createEventBus,
  type Delivered,
  type EventBus,
  type EventBusOptions,
  type Gap,
} from "../src/event-bus.ts";
import { memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";
import type { LogBatch, TopicLog } from "../src/store.ts";
import { settle } from "./settle.ts";

interface Scene {
  readonly clock: VirtualClock;
  readonly space: ReturnType<typeof memoryEventLogSpace>;
  readonly log: TopicLog;
  readonly bus: EventBus;
  /** What becomes of batches on their way to the bus. */
  link: (batch: LogBatch, handOn: (batch: LogBatch) => void) => void;
  readonly errors: unknown[];
}

function scene(options: Partial<EventBusOptions> = {}, change: Partial<TopicLog> = {}): Scene {
  const clock = createVirtualClock();
  const space = memoryEventLogSpace();
  const errors: unknown[] = [];
  const parts: Pick<Scene, "link"> = { link: (batch, handOn) => handOn(batch) };
  const log = {
    ...memoryTopicLog(space, { clock, link: (batch, handOn) => made.link(batch, handOn) }),
    ...change,
  };
  const onError = (error: unknown): number => errors.push(error);
  const bus = createEventBus({ store: log, clock, onError, ...options });
  const made: Scene = { clock, space, log, bus, errors, ...parts };
  return made;
}

async function listen(bus: EventBus, from: "now" | "start" = "now"): Promise<(Delivered | Gap)[]> {
  const items: (Delivered | Gap)[] = [];
  await bus.subscribe("execution", { from }, (item) => items.push(item)).ready;
  return items;
}

const names = (items: readonly (Delivered | Gap)[]): unknown[] =>
  items.map((item) => (item.type === "event" ? item.event.type : `${item.reason} ${item.from}-${item.to}`));

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    if (isParallaxError(error)) return error.code;
    throw error;
  }
  return "no error";
}

describe("publishing", () => {
  it("E3: sends what is published in one tick together, up to the batch size", async () => {
    const { bus, log } = scene({ batchSize: 3 });
    const append = vi.spyOn(log, "append");
    await Promise.all(["a", "b", "c", "d", "e"].map((type) => bus.publish("execution", { type })));
    expect(append.mock.calls.map(([, , events]) => events.length)).toEqual([3, 2]);
  });

  it("keeps the order of what is published while the store is slow", async () => {
    const { bus, space } = scene();
    const published = [bus.publish("execution", { type: "a" })];
    await Promise.resolve();
    published.push(bus.publish("execution", { type: "b" }));
    await Promise.all(published);
    expect(space.log("execution", 0).entries.map(({ event }) => event.type)).toEqual(["a", "b"]);
  });

  it("rejects the events of a failed append and goes on with the next", async () => {
    let fail = true;
    const { bus, space } = scene(
      {},
      {
        async append(topic, partition, events) {
          if (fail) throw new Error("no store");
          space.append(topic, partition, events, 0);
        },
      },
    );
    await expect(bus.publish("execution", { type: "a" })).rejects.toThrow("no store");
    fail = false;
    await bus.publish("execution", { type: "b" });
    expect(bus.stats().published).toBe(1);
  });

  it("S7: refuses more than ten thousand events that wait for a store that does not answer", async () => {
    const { bus } = scene({}, { append: () => new Promise(() => {}) });
    const codes = new Map<string, number>();
    for (let count = 0; count < 10_200; count += 1)
      bus.publish("execution", { type: "a" }).catch((error: unknown) => {
        const code = isParallaxError(error) ? error.code : "?";
        codes.set(code, (codes.get(code) ?? 0) + 1);
      });
    await settle();
    expect([...codes.keys()]).toEqual(["overloaded"]);
    expect(codes.get("overloaded")).toBeLessThanOrEqual(200);
  });

  it("refuses what is no event, what is too large, and what is no topic", async () => {
    const { bus } = scene();
    const circle: { type: string; self?: unknown } = { type: "circle" };
    circle.self = circle;
    expect(await codeOf(() => bus.publish("execution", { type: "" }))).toBe("invalid_event");
    expect(await codeOf(() => bus.publish("execution", circle))).toBe("invalid_event");
    expect(await codeOf(() => bus.publish("execution", { type: "big", text: "é".repeat(8190) }))).toBe(
      "event_too_large",
    );
    expect(await codeOf(() => bus.publish("no spaces", { type: "a" }))).toBe("invalid_topic");
    expect(await codeOf(() => bus.send("cp-1", { type: "big", text: "x".repeat(17_000) }))).toBe(
      "event_too_large",
    );
  });
});

describe("subscribing", () => {
  it("hands on what the listener throws, and goes on", async () => {
    const { bus } = scene();
    const seen: unknown[] = [];
    const thrown: unknown[] = [];
    const subscription = bus.subscribe("execution", { onError: (error) => thrown.push(error) }, (item) => {
      seen.push(item.type);
      throw new Error("mine");
    });
    await subscription.ready;
    await Promise.all([bus.publish("execution", { type: "a" }), bus.publish("execution", { type: "b" })]);
    await settle();
    expect([seen.length, thrown.length]).toEqual([2, 2]);
  });

  it("delivers nothing any more once its listener has closed it", async () => {
    const { bus } = scene();
    const seen: unknown[] = [];
    const subscription = bus.subscribe("execution", {}, (item) => {
      seen.push(item);
      subscription.close();
    });
    await subscription.ready;
    await Promise.all(["a", "b", "c"].map((type) => bus.publish("execution", { type })));
    await settle();
    expect(seen).toHaveLength(1);
  });

  it("has the cursor of what it delivered last, also in the middle of a batch", async () => {
    const { bus } = scene();
    const cursors: [string, string][] = [];
    const subscription = bus.subscribe("execution", {}, (item) => {
      cursors.push([item.cursor, subscription.cursor()]);
    });
    await subscription.ready;
    await Promise.all(["a", "b", "c"].map((type) => bus.publish("execution", { type })));
    await settle();
    expect(cursors).toHaveLength(3);
    for (const [delivered, current] of cursors) expect(current).toBe(delivered);
    expect(subscription.cursor()).toBe(await bus.position("execution"));
  });

  it("refuses a cursor of another topic at once", async () => {
    const { bus } = scene();
    const cursor = await bus.position("agent");
    expect(await codeOf(() => bus.subscribe("execution", { from: { cursor } }, () => {}))).toBe(
      "invalid_cursor",
    );
  });

  it("rejects its readiness when it is closed before, without an unhandled rejection", async () => {
    const { bus } = scene({}, { listen: () => () => {} });
    const subscription = bus.subscribe("execution", {}, () => {});
    subscription.close();
    expect(await codeOf(() => subscription.ready)).toBe("closed");
  });

  it("reads again when the log cannot be read, and loses nothing", async () => {
    const space = memoryEventLogSpace();
    let failures = 3;
    const { bus, clock, errors } = scene(
      {},
      {
        ...memoryTopicLog(space),
        async position(topic) {
          failures -= 1;
          if (failures >= 0) throw new Error("no store");
          return memoryTopicLog(space).position(topic);
        },
      },
    );
    const items: unknown[] = [];
    const subscription = bus.subscribe("execution", {}, (item) => items.push(item));
    await clock.advance(10_000);
    await subscription.ready;
    await bus.publish("execution", { type: "a" });
    await settle();
    expect([items.length, errors.length]).toEqual([1, 3]);
  });
});

describe("E2: a channel that looks open and is dead", () => {
  it("is found within one check interval, and what it swallowed is delivered", async () => {
    const stage = scene({ checkIntervalMs: 5000 });
    const items = await listen(stage.bus);
    const recycle = vi.spyOn(stage.log, "recycle");
    stage.link = () => {};
    await stage.clock.advance(3499);
    await stage.bus.publish("execution", { type: "swallowed" });
    await stage.clock.advance(5000);
    expect(names(items)).toEqual(["swallowed"]);
    expect(recycle).toHaveBeenCalled();
  });

  it.each([0, 500, 1000, 1700, 2499, 2501, 3400])(
    "is found within one check interval when it dies %i ms into one",
    async (diesAfterMs) => {
      const stage = scene({ checkIntervalMs: 5000 });
      const items = await listen(stage.bus);
      await stage.clock.advance(diesAfterMs);
      stage.link = () => {};
      await stage.bus.publish("execution", { type: "swallowed" });
      await stage.clock.advance(5000);
      expect(names(items)).toEqual(["swallowed"]);
    },
  );

  it("is opened anew once, and then left alone until it has come up", async () => {
    const space = memoryEventLogSpace();
    const recycle = vi.fn();
    let comeUp: () => void = () => {};
    const { bus, clock } = scene(
      { checkIntervalMs: 1000 },
      {
        ...memoryTopicLog(space),
        recycle,
        listen(_topic, _onBatch, onReady) {
          comeUp = onReady;
          onReady();
          return () => {};
        },
      },
    );
    const items = await listen(bus);
    for (const expected of [1, 1, 1]) {
      await bus.publish("execution", { type: "swallowed" });
      await clock.advance(1000);
      expect(recycle).toHaveBeenCalledTimes(expected);
    }
    expect(items).toHaveLength(3);
    comeUp();
    await bus.publish("execution", { type: "swallowed again" });
    await clock.advance(1000);
    expect(recycle).toHaveBeenCalledTimes(2);
  });

  it("is not suspected while events are on their way", async () => {
    const stage = scene({ checkIntervalMs: 5000 });
    const items = await listen(stage.bus);
    const recycle = vi.spyOn(stage.log, "recycle");
    const read = vi.spyOn(stage.log, "read");
    stage.link = (batch, handOn) => stage.clock.after(400, () => handOn(batch));
    for (let count = 0; count < 300; count += 1) {
      await stage.bus.publish("execution", { type: `e${count}` });
      await stage.clock.advance(100);
    }
    await stage.clock.advance(400);
    expect(items).toHaveLength(300);
    expect([recycle.mock.calls.length, read.mock.calls.length]).toEqual([0, 0]);
  });

  it("shows in stats until the subscription is at the top again", async () => {
    const stage = scene({ checkIntervalMs: 1000 });
    await listen(stage.bus);
    expect(stage.bus.stats().live).toBe(true);
    stage.link = () => {};
    await stage.bus.publish("execution", { type: "a" });
    await stage.clock.advance(750);
    expect(stage.bus.stats().live).toBe(false);
    await stage.clock.advance(1000);
    expect(stage.bus.stats().live).toBe(true);
  });

  it("is not live while the log cannot be compared with", async () => {
    let broken = false;
    const space = memoryEventLogSpace();
    const { bus, clock } = scene(
      { checkIntervalMs: 1000 },
      {
        ...memoryTopicLog(space),
        async position(topic) {
          if (broken) throw new Error("no store");
          return memoryTopicLog(space).position(topic);
        },
      },
    );
    await listen(bus);
    broken = true;
    await clock.advance(1000);
    expect(bus.stats().live).toBe(false);
    broken = false;
    await clock.advance(1500);
    expect(bus.stats().live).toBe(true);
  });

  it("reports a rewound log although nothing is published", async () => {
    const { bus, clock, space } = scene({ checkIntervalMs: 1000 });
    const items = await listen(bus);
    await bus.publish("execution", { type: "kept" });
    const snapshot = space.snapshot();
    await bus.publish("execution", { type: "taken back" });
    await settle();
    space.restore(snapshot);
    await clock.advance(1000);
    expect(names(items)).toEqual(["kept", "taken back", "rewound 1-1"]);
    expect(bus.stats().gaps).toEqual({ trimmed: 0, epoch: 0, rewound: 1, overflow: 0 });
  });

  it("stops looking once nobody listens", async () => {
    const { bus, clock, log } = scene({ checkIntervalMs: 1000 });
    const subscription = bus.subscribe("execution", {}, () => {});
    await subscription.ready;
    const position = vi.spyOn(log, "position");
    subscription.close();
    await clock.advance(10_000);
    expect(position).not.toHaveBeenCalled();
  });
});

describe("sync latency", () => {
  it("is measured from before the write until the own delivery", async () => {
    const stage = scene();
    await listen(stage.bus);
    stage.link = (batch, handOn) => stage.clock.after(20, () => handOn(batch));
    await stage.bus.publish("execution", { type: "a" });
    await stage.clock.advance(20);
    const { count, sumMs, quantile } = stage.bus.stats().syncLatencyMs;
    expect([count, sumMs]).toEqual([1, 20]);
    expect(quantile(0.99)).toBeGreaterThanOrEqual(20);
    expect(quantile(0.99)).toBeLessThan(21.1);
  });

  it("counts an event once, however many listen", async () => {
    const { bus } = scene();
    await listen(bus);
    await listen(bus);
    await bus.publish("execution", { type: "a" });
    await settle();
    expect(bus.stats().syncLatencyMs.count).toBe(1);
    expect(bus.stats().delivered).toBe(2);
  });

  it("covers what the state store appends", async () => {
    const { bus, clock, space } = scene();
    await listen(bus);
    bus.sent("execution", ["t1"], clock.now());
    await clock.advance(5);
    space.append("execution", 0, [{ tag: "t1", json: '{"type":"changed"}' }], 0);
    await settle();
    expect(bus.stats().syncLatencyMs.sumMs).toBe(5);
  });

  it("does not count events of other nodes, nor of topics that nobody here listens to", async () => {
    const { bus, space } = scene();
    await listen(bus);
    space.append("execution", 0, [{ tag: "t1", json: '{"type":"changed"}' }], 0);
    await bus.publish("agent", { type: "a" });
    await settle();
    expect(bus.stats().syncLatencyMs.count).toBe(0);
    expect(bus.stats().syncLatencyMs.quantile(0.5)).toBeNaN();
  });
});

describe("closing", () => {
  it("appends what was published, then refuses everything", async () => {
    const { bus, space } = scene();
    const published = bus.publish("execution", { type: "last" });
    await Promise.all([bus.close(), bus.close(), published]);
    expect(space.log("execution", 0).entries).toHaveLength(1);
    expect(await codeOf(() => bus.publish("execution", { type: "a" }))).toBe("closed");
    expect(await codeOf(() => bus.subscribe("execution", {}, () => {}))).toBe("closed");
    expect(await codeOf(() => bus.send("cp-1", { type: "a" }))).toBe("closed");
    expect(await codeOf(() => bus.receive("cp-1", () => {}))).toBe("closed");
  });

  it("does not wait for ever for a store that does not answer", async () => {
    const { bus, clock, errors } = scene({}, { append: () => new Promise(() => {}) });
    bus.publish("execution", { type: "a" }).catch(() => {});
    const closed = vi.fn();
    void bus.close().then(closed);
    await clock.advance(5000);
    expect(closed).toHaveBeenCalled();
    expect(errors).toHaveLength(1);
  });

  it("leaves no timer and no listener", async () => {
    const { bus, clock, space, log } = scene({ checkIntervalMs: 1000 });
    const items = await listen(bus);
    bus.receive("cp-1", () => {});
    await bus.close();
    const position = vi.spyOn(log, "position");
    space.append("execution", 0, [{ tag: "t", json: '{"type":"a"}' }], 0);
    await clock.advance(10_000);
    expect(items).toEqual([]);
    expect(position).not.toHaveBeenCalled();
  });
});

it("refuses options that cannot work", async () => {
  const store = memoryTopicLog(memoryEventLogSpace());
  for (const options of [
    { batchSize: 0 },
    { batchSize: 1.5 },
    { checkIntervalMs: 0 },
    { checkIntervalMs: Number.NaN },
  ])
    expect(await codeOf(() => createEventBus({ store, ...options }))).toBe("invalid_options");
});
