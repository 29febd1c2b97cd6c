import { isParallaxError } from "@parallax/core";
import { describe, expect, it } from "vitest";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../src/event-bus.ts";
import { memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";
import { settle } from "./settle.ts";

interface Scene {
  readonly bus: EventBus;
  readonly errors: unknown[];
}

function scene(partitions = 1): Scene {
  const errors: unknown[] = [];
  const store = memoryTopicLog(memoryEventLogSpace({ partitions }));
  return { bus: createEventBus({ store, onError: (error) => errors.push(error) }), errors };
}

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    if (isParallaxError(error)) return error.code;
    throw error;
  }
  return "no error";
}

/** A subscription that does nothing wrong, beside one that does. */
async function neighbour(bus: EventBus): Promise<(Delivered | Gap)[]> {
  const items: (Delivered | Gap)[] = [];
  await bus.subscribe("execution", {}, (item) => items.push(item)).ready;
  return items;
}

describe("a wrong name", () => {
  it.each(["", "a b", "{a}", "a@b", "é", "x".repeat(65), "x".repeat(1_000_000)])(
    "is refused as a topic (%.20s)",
    async (topic) => {
      const { bus } = scene();
      expect(await codeOf(() => bus.publish(topic, { type: "a" }))).toBe("invalid_topic");
      expect(await codeOf(() => bus.subscribe(topic, {}, () => {}))).toBe("invalid_topic");
      expect(await codeOf(() => bus.position(topic))).toBe("invalid_topic");
      expect(await codeOf(() => bus.iterate(topic).next())).toBe("invalid_topic");
    },
  );

  it.each(["", "a b", "{a}", "a\n", "x".repeat(201), "x".repeat(1_000_000)])(
    "is refused as a node (%.20s)",
    async (nodeId) => {
      const { bus } = scene();
      expect(await codeOf(() => bus.send(nodeId, { type: "a" }))).toBe("invalid_node");
      expect(await codeOf(() => bus.receive(nodeId, () => {}))).toBe("invalid_node");
    },
  );

  it("is not repeated in full by the error", async () => {
    const { bus } = scene();
    const failure = await bus.publish("x".repeat(1_000_000), { type: "a" }).catch(String);
    expect(String(failure).length).toBeLessThan(300);
  });
});

describe("a key", () => {
  it("may have braces, spaces and letters of any alphabet", async () => {
    const { bus } = scene(4);
    const items = await neighbour(bus);
    for (const key of ["{a}b", "{}", "a b", "ключ", ""])
      await bus.publish("execution", { type: "a" }, { key });
    await settle();
    expect(items.map(({ type }) => type)).toEqual(["event", "event", "event", "event", "event"]);
  });

  it("of a megabyte is refused, and the next event goes through", async () => {
    const { bus } = scene(4);
    const items = await neighbour(bus);
    expect(await codeOf(() => bus.publish("execution", { type: "a" }, { key: "x".repeat(1_000_000) }))).toBe(
      "invalid_key",
    );
    await bus.publish("execution", { type: "b" });
    await settle();
    expect(items).toHaveLength(1);
  });
});

describe("an event of five megabytes", () => {
  it("is refused with its size and the bound, and nothing is appended", async () => {
    const { bus } = scene();
    const text = "x".repeat(5_000_000);
    await expect(bus.publish("execution", { type: "big", text })).rejects.toMatchObject({
      code: "event_too_large",
      details: { maxBytes: 16_384 },
    });
    expect(await bus.position("execution")).toMatch(/\.0\.$/);
  });
});

describe("a wrong beginning", () => {
  it.each([
    "",
    "later",
    "execution@now,now",
    "agent@now",
    "execution@a.b.c",
    "execution@e.1.t,e.1.t",
    "é",
    "{}",
  ])("is refused as a cursor (%s)", async (cursor) => {
    const { bus } = scene();
    expect(await codeOf(() => bus.subscribe("execution", { from: { cursor } }, () => {}))).toBe(
      "invalid_cursor",
    );
    expect(await codeOf(() => bus.iterate("execution", { from: { cursor } }).next())).toBe("invalid_cursor");
  });

  it("is refused when the cursor is given where {cursor} belongs, or nothing of use", async () => {
    const { bus } = scene();
    const froms: unknown[] = [await bus.position("execution"), "later", null, 5, {}, { cursor: 5 }];
    for (const from of froms) {
      const options: { from?: "now" } = {};
      Object.assign(options, { from });
      const code = await codeOf(() => bus.subscribe("execution", options, () => {}));
      // A bare cursor is as clear as can be.
      expect(code).toBe(from === froms[0] ? "no error" : "invalid_cursor");
    }
  });

  it.each([{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: Number.NaN }])(
    "is refused as bounds of an iteration (%o)",
    async (bounds) => {
      const { bus } = scene();
      expect(await codeOf(() => bus.iterate("execution", bounds))).toBe("invalid_options");
    },
  );

  it.each([
    { maxEntries: 0 },
    { maxEntries: -1 },
    { maxEntries: 1.5 },
    { maxAgeMs: 0 },
    { maxAgeMs: Number.NaN },
  ])("is refused as bounds of a log (%o)", async (bounds) => {
    expect(await codeOf(() => memoryEventLogSpace(bounds))).toBe("invalid_options");
  });
});

describe("a subscriber that does wrong", () => {
  it("by throwing: it is told, goes on, and no other notices", async () => {
    const { bus, errors } = scene();
    const own: unknown[] = [];
    await bus.subscribe("execution", { onError: (error) => own.push(error) }, () => {
      throw new Error("mine");
    }).ready;
    const items = await neighbour(bus);
    for (const type of ["a", "b"]) await bus.publish("execution", { type });
    await settle();
    expect([own.length, items.length, errors.length]).toEqual([2, 2, 0]);
  });

  it("by rejecting: it is told, and the process goes on", async () => {
    const { bus, errors } = scene();
    await bus.subscribe("execution", {}, async () => {
      throw new Error("mine");
    }).ready;
    const items = await neighbour(bus);
    for (const type of ["a", "b"]) await bus.publish("execution", { type });
    await settle();
    expect([items.length, errors.length]).toEqual([2, 2]);
  });

  it("by never returning: nobody waits for it", async () => {
    const { bus } = scene();
    await bus.subscribe("execution", {}, () => new Promise<void>(() => {})).ready;
    const items = await neighbour(bus);
    for (const type of ["a", "b"]) await bus.publish("execution", { type });
    await settle();
    expect(items).toHaveLength(2);
    await bus.close();
  });

  it("by throwing in onError as well: the bus goes on", async () => {
    const store = memoryTopicLog(memoryEventLogSpace());
    const bus = createEventBus({
      store,
      onError() {
        throw new Error("again");
      },
    });
    await bus.subscribe("execution", {}, () => {
      throw new Error("mine");
    }).ready;
    const items = await neighbour(bus);
    for (const type of ["a", "b"]) await bus.publish("execution", { type });
    await settle();
    expect(items).toHaveLength(2);
  });

  it("by not asking for the next item: the others get theirs", async () => {
    const { bus } = scene();
    const stuck = bus.iterate("execution", { limit: 2 });
    void stuck.next();
    const items = await neighbour(bus);
    for (let count = 0; count < 100; count += 1) await bus.publish("execution", { type: "a" });
    await settle();
    expect(items).toHaveLength(100);
    await bus.close();
  });

  it("as a receiver of messages: it is told, and goes on", async () => {
    const { bus, errors } = scene();
    const got: string[] = [];
    bus.receive("cp-1", ({ type }) => {
      got.push(type);
      throw new Error("mine");
    });
    for (const type of ["a", "b"]) await bus.send("cp-1", { type });
    await settle();
    expect([got, errors.length]).toEqual([["a", "b"], 2]);
  });
});

describe("a bus that is used wrongly", () => {
  it.each([[undefined], [{}]])("refuses %j for a store", (store) => {
    expect(() => Reflect.apply(createEventBus, undefined, [{ store }])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("refuses to listen without a listener", () => {
    const { bus } = scene();
    const invalid = expect.objectContaining({ code: "invalid_options" });
    expect(() => Reflect.apply(bus.subscribe, bus, ["execution", () => {}])).toThrow(invalid);
    expect(() => Reflect.apply(bus.receive, bus, ["cp-1"])).toThrow(invalid);
  });

  it("gives no position once it is closed", async () => {
    const { bus } = scene();
    await bus.close();
    await expect(bus.position("execution")).rejects.toMatchObject({ code: "closed" });
  });
});
