import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { createEventBus, type Delivered, type EventBus, type Gap } from "./event-bus.ts";
import type { LogBatch, TaggedEvent, TopicLog } from "./store.ts";

/** What the suite needs of a test runner: vitest, node:test and jest have it. */
export interface TestApi {
  describe(name: string, define: () => void): void;
  it(name: string, run: () => Promise<void>): void;
}

/** Several nodes on the same logs. */
export interface TopicLogBackend {
  /** Another node. The suite disposes of it. */
  connect(): Promise<TopicLog>;
  /** Keeps the newest `count` entries of a partition only, or a few more. */
  trim(topic: string, partition: number, count: number): Promise<void>;
  /** Loses everything that was stored. */
  drop(): Promise<void>;
}

/** What the log under test has. */
export interface TopicLogCapabilities {
  /** How many partitions a topic has. */
  readonly partitions: number;
  /** A topic that lies beside the lease and has a single partition. */
  readonly coordinationTopic: string;
  /** How many entries a log keeps: at least 1000. The suite appends twice as many. */
  readonly maxEntries: number;
}

/**
 * The suite that every {@link TopicLog} has to pass.
 *
 * `makeBackend` is called once for each test and gives logs that nobody else uses, or that are empty.
 */
export function topicLogConformance(
  api: TestApi,
  makeBackend: () => Promise<TopicLogBackend>,
  capabilities: TopicLogCapabilities,
): void {
  const inBackend = (run: (nodes: Nodes) => Promise<void>) => async (): Promise<void> => {
    const nodes = createNodes(await makeBackend());
    try {
      await run(nodes);
    } finally {
      await nodes.close();
    }
  };
  api.describe("a log", () => {
    defineLogTests(api, inBackend, capabilities);
  });
  api.describe("a channel", () => {
    defineChannelTests(api, inBackend, capabilities);
  });
  api.describe("an event bus on it", () => {
    defineBusTests(api, inBackend, capabilities);
  });
}

type InBackend = (run: (nodes: Nodes) => Promise<void>) => () => Promise<void>;

function defineLogTests({ it }: TestApi, inBackend: InBackend, capabilities: TopicLogCapabilities): void {
  const topic = "execution";

  it(
    "begins with a position that has an epoch and that all nodes see",
    inBackend(async ({ connect }) => {
      const [one, other] = [await connect(), await connect()];
      const tops = await one.position(topic);
      strictEqual(tops.length, capabilities.partitions);
      for (const { epoch, sequence, tag } of tops)
        deepStrictEqual([epoch !== "", sequence, tag], [true, 0, ""]);
      deepStrictEqual(await other.position(topic), tops);
    }),
  );

  it(
    "numbers entries densely and links each to its predecessor",
    inBackend(async ({ connect }) => {
      const log = await connect();
      await log.append(topic, 0, events("a", "b"));
      await log.append(topic, 0, events("c"));
      const { top, entries } = await log.read(topic, 0, "start", 10);
      deepStrictEqual(
        entries.map(({ sequence, tag, previous }) => [sequence, tag, previous]),
        [
          [1, "a", ""],
          [2, "b", "a"],
          [3, "c", "b"],
        ],
      );
      deepStrictEqual([top.sequence, top.tag], [3, "c"]);
      ok(entries.every(({ atMs }) => atMs > 0));
    }),
  );

  it(
    "keeps appends of several nodes apart and dense",
    inBackend(async ({ connect }) => {
      const logs = [await connect(), await connect(), await connect()];
      await Promise.all(
        range(60).map((index) => logs[index % 3]?.append(topic, 0, events(`x${index}`, `y${index}`))),
      );
      const { entries } = await (await connect()).read(topic, 0, "start", 200);
      deepStrictEqual(
        entries.map(({ sequence }) => sequence),
        range(120).map((index) => index + 1),
      );
      for (const [index, { tag, previous }] of entries.entries()) {
        strictEqual(previous, entries[index - 1]?.tag ?? "");
        if (tag.startsWith("y")) strictEqual(previous, tag.replace("y", "x"), "one append stays together");
      }
    }),
  );

  it(
    "gives back every event as it was",
    inBackend(async ({ connect }) => {
      const log = await connect();
      const event = {
        type: "größe",
        text: '"\\\n\u2028😀',
        none: null,
        list: [],
        map: {},
        n: [1.5, -0, 1e21],
      };
      await log.append(topic, 0, [
        { tag: "t", json: JSON.stringify(event) },
        { tag: "spread", json: JSON.stringify(event, undefined, 2) },
      ]);
      const { entries } = await log.read(topic, 0, "start", 2);
      const expected: unknown = JSON.parse(JSON.stringify(event));
      deepStrictEqual(
        entries.map((entry) => entry.event),
        [expected, expected],
      );
    }),
  );

  it(
    "reads page by page after a place",
    inBackend(async ({ connect }) => {
      const log = await connect();
      await log.append(topic, 0, events("a", "b", "c", "d"));
      const first = await log.read(topic, 0, "start", 2);
      deepStrictEqual(tags(first), ["a", "b"]);
      const place = { epoch: first.top.epoch, sequence: 2, tag: "b" };
      deepStrictEqual(tags(await log.read(topic, 0, place, 10)), ["c", "d"]);
      deepStrictEqual(tags(await log.read(topic, 0, first.top, 10)), []);
    }),
  );

  it(
    "reads from the oldest entry for a place of another epoch",
    inBackend(async ({ connect }) => {
      const log = await connect();
      await log.append(topic, 0, events("a", "b"));
      deepStrictEqual(tags(await log.read(topic, 0, { epoch: "other", sequence: 1, tag: "a" }, 10)), [
        "a",
        "b",
      ]);
    }),
  );

  it(
    "keeps partitions apart",
    inBackend(async ({ connect }) => {
      const log = await connect();
      const last = capabilities.partitions - 1;
      await log.append(topic, last, events("a", "b"));
      const tops = await log.position(topic);
      deepStrictEqual(
        tops.map(({ sequence }) => sequence),
        range(capabilities.partitions).map((partition) => (partition === last ? 2 : 0)),
      );
    }),
  );

  it(
    "places a key in the same partition on every node, and a coordination topic in a single one",
    inBackend(async ({ connect }) => {
      const [one, other] = [await connect(), await connect()];
      strictEqual(one.partitions(topic), capabilities.partitions);
      strictEqual(one.partitions(capabilities.coordinationTopic), 1);
      const seen = new Set<number>();
      for (const key of range(400).map((index) => `exec_${index}`)) {
        const partition = one.partitionOf(topic, key);
        strictEqual(other.partitionOf(topic, key), partition);
        strictEqual(one.partitionOf(capabilities.coordinationTopic, key), 0);
        seen.add(partition);
      }
      deepStrictEqual(
        [...seen].sort((left, right) => left - right),
        range(capabilities.partitions),
      );
    }),
  );

  it(
    "is bounded: the oldest entries make room",
    inBackend(async ({ connect }) => {
      const log = await connect();
      const { maxEntries } = capabilities;
      for (const start of range(2 * Math.ceil(maxEntries / 100)))
        await log.append(topic, 0, events(...range(100).map((index) => `t${start * 100 + index}`)));
      const { top, entries } = await log.read(topic, 0, "start", 4 * maxEntries);
      strictEqual(entries.at(-1)?.sequence, top.sequence);
      ok(entries.length >= maxEntries && entries.length < maxEntries + 200, `${entries.length} entries`);
    }),
  );

  it(
    "has another epoch after it was lost",
    inBackend(async ({ connect, backend }) => {
      const log = await connect();
      await log.append(topic, 0, events("a", "b"));
      const [before] = await log.position(topic);
      await backend.drop();
      await log.append(topic, 0, events("c"));
      const { top, entries } = await log.read(topic, 0, before ?? "start", 10);
      ok(top.epoch !== before?.epoch);
      deepStrictEqual([top.sequence, entries[0]?.previous], [1, ""]);
    }),
  );

  it(
    "keeps its numbers when it is trimmed",
    inBackend(async ({ connect, backend }) => {
      const log = await connect();
      await log.append(topic, 0, events("a", "b", "c"));
      await backend.trim(topic, 0, 0);
      await log.append(topic, 0, events("d"));
      const { entries } = await log.read(topic, 0, "start", 10);
      const last = entries.at(-1);
      deepStrictEqual([last?.sequence, last?.tag, last?.previous], [4, "d", "c"]);
    }),
  );
}

function defineChannelTests({ it }: TestApi, inBackend: InBackend, capabilities: TopicLogCapabilities): void {
  const { coordinationTopic } = capabilities;
  for (const topic of ["execution", coordinationTopic]) {
    it(
      `carries each append to ${topic} as one batch that equals the log`,
      inBackend(async ({ connect }) => {
        const [writer, reader] = [await connect(), await connect()];
        const heard = await listening(reader, topic);
        await writer.append(topic, 0, events("a", "b"));
        await eventually(() => heard.batches.length === 1, "the batch arrives");
        const { top, entries } = await reader.read(topic, 0, "start", 10);
        deepStrictEqual(heard.batches, [{ topic, partition: 0, epoch: top.epoch, entries }]);
      }),
    );
  }

  it(
    "is silent for those who left and for other topics",
    inBackend(async ({ connect }) => {
      const [writer, reader] = [await connect(), await connect()];
      const left = await listening(reader, "execution");
      const other = await listening(reader, "agent");
      const stays = await listening(reader, "execution");
      left.stop();
      await writer.append("execution", 0, events("a"));
      await eventually(() => stays.batches.length === 1, "the batch arrives");
      deepStrictEqual([left.batches.length, other.batches.length], [0, 0]);
    }),
  );

  it(
    "says when it is ready again after it was recycled, and works",
    inBackend(async ({ connect }) => {
      const [writer, reader] = [await connect(), await connect()];
      const heard = await listening(reader, "execution");
      reader.recycle("the test asks for it");
      await eventually(() => heard.readyCount() > 1, "the channel comes up again");
      await writer.append("execution", 0, events("a"));
      await eventually(() => heard.batches.length === 1, "the batch arrives");
    }),
  );

  it(
    "carries messages to the node that they are for",
    inBackend(async ({ connect }) => {
      const [sender, receiver] = [await connect(), await connect()];
      const got: string[] = [];
      receiver.receive("cp-1", ({ type }) => got.push(`1 ${type}`));
      const stop = receiver.receive("cp-2", ({ type }) => got.push(`2 ${type}`));
      await eventually(async () => {
        await sender.send("cp-1", { type: "hello" });
        await sender.send("cp-2", { type: "hello" });
        return got.includes("1 hello") && got.includes("2 hello");
      }, "both receive");
      stop();
      await sender.send("cp-2", { type: "too late" });
      await sender.send("cp-1", { type: "end", id: "exec_1" });
      await eventually(() => got.includes("1 end"), "the last message arrives");
      ok(!got.includes("2 too late"));
    }),
  );

  it(
    "lets a message go to a node that does not receive",
    inBackend(async ({ connect }) => {
      const log = await connect();
      await log.send("nobody", { type: "hello" });
    }),
  );
}

function defineBusTests({ it }: TestApi, inBackend: InBackend, { partitions }: TopicLogCapabilities): void {
  const topic = "execution";

  it(
    "delivers to every node, in order and once for each partition",
    inBackend(async ({ bus }) => {
      const [one, other] = [await bus(), await bus()];
      const [atOne, atOther] = [await subscribed(one, topic), await subscribed(other, topic)];
      const keys = range(50).map((index) => `exec_${index}`);
      await Promise.all(
        range(500).map((index) => {
          const publisher = index % 2 === 0 ? one : other;
          return publisher.publish(topic, { type: "step", index }, { key: keys[index % 50] ?? "" });
        }),
      );
      for (const items of [atOne, atOther]) {
        await eventually(() => items.length === 500, "everything arrives");
        assertOrdered(items, partitions);
        strictEqual(new Set(items.map((item) => item.type === "event" && item.event.index)).size, 500);
      }
    }),
  );

  it(
    "continues after a cursor, on any node",
    inBackend(async ({ bus }) => {
      const [one, other] = [await bus(), await bus()];
      const before = await subscribed(one, topic);
      for (const index of range(5)) await one.publish(topic, { type: "step", index });
      await eventually(() => before.length === 5, "the first arrive");
      const cursor = before[1]?.cursor ?? "";
      const after = await subscribed(other, topic, { cursor });
      await one.publish(topic, { type: "step", index: 5 });
      await eventually(() => after.length === 4, "the rest arrives");
      deepStrictEqual(indexes(after), [2, 3, 4, 5]);
    }),
  );

  it(
    "delivers what was appended after a position, however long ago",
    inBackend(async ({ bus }) => {
      const [one, other] = [await bus(), await bus()];
      await one.publish(topic, { type: "step", index: 0 });
      const cursor = await one.position(topic);
      await Promise.all(range(800).map((index) => one.publish(topic, { type: "step", index: index + 1 })));
      const items = await subscribed(other, topic, { cursor });
      await eventually(() => items.length === 800, "everything arrives");
      deepStrictEqual(
        indexes(items),
        range(800).map((index) => index + 1),
      );
    }),
  );

  it(
    "begins at the oldest event",
    inBackend(async ({ bus }) => {
      const one = await bus();
      for (const index of range(3)) await one.publish(topic, { type: "step", index });
      const items = await subscribed(one, topic, "start");
      await eventually(() => items.length === 3, "everything arrives");
      deepStrictEqual(indexes(items), [0, 1, 2]);
    }),
  );

  it(
    "reports what was trimmed before it could be delivered",
    inBackend(async ({ bus, backend }) => {
      const one = await bus();
      const cursor = await one.position(topic);
      for (const index of range(5)) await one.publish(topic, { type: "step", index });
      await backend.trim(topic, 0, 0);
      const items = await subscribed(one, topic, { cursor });
      await eventually(() => items.length > 0, "the gap arrives");
      const { type, reason, from, to } = gapOf(items[0]);
      deepStrictEqual({ type, reason, from, to }, { type: "gap", reason: "trimmed", from: 1, to: 5 });
    }),
  );

  it(
    "reports a log that was lost and goes on with the next one",
    inBackend(async ({ bus, backend }) => {
      const one = await bus();
      const all = await subscribed(one, topic);
      // The check may report the other partitions before the event comes.
      const items = (): (Delivered | Gap)[] => all.filter(({ partition }) => partition === 0);
      await one.publish(topic, { type: "step", index: 0 });
      await eventually(() => items().length === 1, "the first arrives");
      await backend.drop();
      await one.publish(topic, { type: "step", index: 1 });
      await eventually(() => items().length >= 3, "gap and event arrive");
      const { reason, from, to } = gapOf(items()[1]);
      deepStrictEqual({ reason, from, to }, { reason: "epoch", from: 2, to: undefined });
      deepStrictEqual(indexes(items().slice(2)), [1]);
    }),
  );
}

interface Nodes {
  readonly backend: TopicLogBackend;
  connect(): Promise<TopicLog>;
  bus(): Promise<EventBus>;
  close(): Promise<void>;
}

function createNodes(backend: TopicLogBackend): Nodes {
  const opened: AsyncDisposable[] = [];
  async function connect(): Promise<TopicLog> {
    const log = await backend.connect();
    opened.push(log);
    return log;
  }
  return {
    backend,
    connect,
    async bus() {
      const bus = createEventBus({ store: await backend.connect(), checkIntervalMs: 500 });
      opened.push(bus);
      return bus;
    },
    async close() {
      for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
    },
  };
}

async function listening(
  log: TopicLog,
  topic: string,
): Promise<{ batches: LogBatch[]; readyCount: () => number; stop: () => void }> {
  const batches: LogBatch[] = [];
  let count = 0;
  const stop = log.listen(
    topic,
    (batch) => batches.push(batch),
    () => {
      count += 1;
    },
  );
  await eventually(() => count > 0, "the channel comes up");
  return { batches, readyCount: () => count, stop };
}

type From = "now" | "start" | { readonly cursor: string };

async function subscribed(bus: EventBus, topic: string, from: From = "now"): Promise<(Delivered | Gap)[]> {
  const items: (Delivered | Gap)[] = [];
  await bus.subscribe(topic, { from }, (item) => items.push(item)).ready;
  return items;
}

function assertOrdered(items: readonly (Delivered | Gap)[], partitions: number): void {
  for (const partition of range(partitions)) {
    const own = items.filter((item) => item.partition === partition);
    deepStrictEqual(
      own.map((item) => (item.type === "event" ? item.sequence : item.reason)),
      own.map((_, index) => index + 1),
    );
  }
}

function indexes(items: readonly (Delivered | Gap)[]): unknown[] {
  return items.map((item) => (item.type === "event" ? item.event.index : item.reason));
}

function gapOf(item: Delivered | Gap | undefined): Gap {
  if (item?.type !== "gap") throw new Error(`expected a gap, got ${JSON.stringify(item)}`);
  return item;
}

function events(...names: readonly string[]): TaggedEvent[] {
  return names.map((tag) => ({ tag, json: JSON.stringify({ type: "test", name: tag }) }));
}

function tags(page: { readonly entries: readonly { readonly tag: string }[] }): string[] {
  return page.entries.map(({ tag }) => tag);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited 10 s in vain: ${what}`);
    await wait(5);
  }
}
