import { createConnections, createKeySpace, eventLogKeys } from "@parallax/redis";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../src/event-bus.ts";
import { memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";
import { redisTopicLog } from "../src/redis.ts";
import type { TopicLog } from "../src/store.ts";

// Scenarios that broke earlier designs; each is named after the attack that it is.

const topic = "execution";
const partitions = 16;

/** One backend, with what the attacks do to its logs. */
interface Battlefield {
  /** Another node. */
  connect(maxEntries?: number): TopicLog;
  /** What is in the log now; `restore` makes it so again. */
  copy(partition: number): Promise<{ restore(): Promise<void> }>;
}

function label(item: Delivered | Gap): string {
  return item.type === "gap" ? `${item.reason} ${item.from}-${item.to ?? ""}` : String(item.event.index);
}

async function publishAll(bus: EventBus, from: number, count: number, key?: string): Promise<void> {
  const indexes = Array.from({ length: count }, (_, offset) => from + offset);
  await Promise.all(
    indexes.map((index) => bus.publish(topic, { type: "step", index }, { key: key ?? `exec_${index}` })),
  );
}

/** Reads until there is nothing more for now, and says where to continue. */
async function readOn(bus: EventBus, cursor: string, count: number): Promise<(Delivered | Gap)[]> {
  const items: (Delivered | Gap)[] = [];
  for await (const item of bus.iterate(topic, { from: { cursor } })) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}

function attacks(open: () => Battlefield): void {
  it("A10: a feed of all partitions continues from its last id at another node while events pour in", async () => {
    const field = open();
    const nodes = [
      createEventBus({ store: field.connect() }),
      createEventBus({ store: field.connect() }),
    ] as const;
    const start = await nodes[0].position(topic);
    await publishAll(nodes[0], 0, 1000);
    const first = await readOn(nodes[0], start, 400);
    const pouring = publishAll(nodes[0], 1000, 2000);
    const rest = await readOn(nodes[1], first.at(-1)?.cursor ?? "", 2600);
    await pouring;
    const seen = [...first, ...rest];
    expect(seen.filter(({ type }) => type === "gap")).toEqual([]);
    expect(new Set(seen.map(label)).size).toBe(3000);
    for (const node of nodes) await node.close();
  });

  it("A10: where one partition has moved on too far the feed says so, and has all of the others", async () => {
    const field = open();
    const bus = createEventBus({ store: field.connect(1000) });
    const start = await bus.position(topic);
    await publishAll(bus, 0, 50);
    const store = field.connect();
    const busy = store.partitionOf(topic, "busy");
    const elsewhere = Array.from({ length: 50 }, (_, index) => index).filter(
      (index) => store.partitionOf(topic, `exec_${index}`) !== busy,
    );
    await store[Symbol.asyncDispose]();
    await publishAll(bus, 1000, 3000, "busy");
    const items: (Delivered | Gap)[] = [];
    bus.subscribe(topic, { from: { cursor: start } }, (item) => items.push(item));
    await eventually(() => items.map(label).includes("3999") && items.length > elsewhere.length + 1000);
    expect(items.filter(({ type }) => type === "gap")).toMatchObject([
      { reason: "trimmed", partition: busy, from: 1 },
    ]);
    const seen = new Set(items.map(label));
    expect(elsewhere.filter((index) => !seen.has(String(index)))).toEqual([]);
    await bus.close();
  });

  it("B3: a log that was taken back and gives its numbers again is noticed by the first event that does not fit", async () => {
    const field = open();
    const store = field.connect();
    const partition = store.partitionOf(topic, "one");
    let isDeaf = false;
    let unheard = 0;
    const deafened: TopicLog = {
      ...store,
      listen: (name, onBatch, onReady) =>
        store.listen(
          name,
          (batch) => {
            if (isDeaf) unheard += batch.entries.length;
            else onBatch(batch);
          },
          onReady,
        ),
    };
    const bus = createEventBus({ store: deafened, checkIntervalMs: 3_600_000 });
    const items: (Delivered | Gap)[] = [];
    await bus.subscribe(topic, {}, (item) => items.push(item)).ready;
    await publishAll(bus, 0, 95, "one");
    await eventually(() => items.length === 95);
    const { restore } = await field.copy(partition);
    await publishAll(bus, 95, 5, "one");
    await eventually(() => items.length === 100);
    await restore();
    // 96 to 100 are given again while nothing is heard; then comes 101, the very number that is waited for.
    isDeaf = true;
    await publishAll(bus, 1095, 5, "one");
    await eventually(() => unheard === 5);
    isDeaf = false;
    await publishAll(bus, 1100, 1, "one");
    await eventually(() => items.map(label).includes("1100"));
    expect(items.map(label).slice(95)).toEqual(["95", "96", "97", "98", "99", "rewound 1-100", "1100"]);
    await bus.close();
  });
}

describeBackend("memory", "attacks", () => {
  attacks(() => {
    const space = memoryEventLogSpace({ partitions, maxEntries: 1000 });
    const roomy = memoryEventLogSpace({ partitions });
    return {
      connect: (maxEntries) => memoryTopicLog(maxEntries === undefined ? roomy : space),
      async copy() {
        const snapshot = roomy.snapshot();
        return { restore: async () => roomy.restore(snapshot) };
      },
    };
  });
});

describeBackend("redis-standalone", "attacks", () => {
  let server: RedisFixture;
  let fields = 0;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  attacks(() => {
    fields += 1;
    const keySpace = createKeySpace({ prefix: `field${fields}:`, cluster: true, partitions });
    return {
      connect(maxEntries) {
        const connections = createConnections({ url: server.url });
        const log = redisTopicLog(connections, { keySpace, ...(maxEntries !== undefined && { maxEntries }) });
        return {
          ...log,
          async [Symbol.asyncDispose]() {
            await log[Symbol.asyncDispose]();
            await connections.close();
          },
        };
      },
      async copy(partition) {
        const { log, meta } = eventLogKeys(keySpace, topic, partition);
        for (const key of [log, meta]) await server.send("COPY", key, `copy:${key}`, "REPLACE");
        return {
          async restore() {
            for (const key of [log, meta]) await server.send("COPY", `copy:${key}`, key, "REPLACE");
          },
        };
      },
    };
  });
});
