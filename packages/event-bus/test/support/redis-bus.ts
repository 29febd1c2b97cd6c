import type { RedisConnections } from "@parallax/redis";
import { eventually } from "@parallax/testing";
import { formatCursor } from "../../src/cursor.ts";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../../src/event-bus.ts";
import { type RedisTopicLogOptions, redisTopicLog } from "../../src/redis.ts";
import type { TopicLog } from "../../src/store.ts";
import { discrepancies } from "./account.ts";

/** A bus and the log under it. */
export interface RedisBus {
  readonly bus: EventBus;
  readonly log: TopicLog;
}

export interface RedisBusOptions extends RedisTopicLogOptions {
  readonly connections: RedisConnections;
  readonly checkIntervalMs?: number;
  /** Hears of failures that the bus tries again after. */
  readonly onBusError?: (error: unknown) => void;
}

/** A bus that closes its connections with itself. */
export function openRedisBus(busOptions: RedisBusOptions): RedisBus {
  const { connections, checkIntervalMs = 1000, onBusError = () => {}, ...options } = busOptions;
  const inner = redisTopicLog(connections, options);
  const log = {
    ...inner,
    async [Symbol.asyncDispose]() {
      await inner[Symbol.asyncDispose]();
      await connections.close();
    },
  };
  return { bus: createEventBus({ store: log, checkIntervalMs, onError: onBusError }), log };
}

/** Publishes until it is known to have worked. An event whose outcome was unknown may be in the log twice. */
export async function insist(bus: EventBus, topic: string, index: number, key?: string): Promise<void> {
  await eventually(
    async () => {
      await bus.publish(topic, { type: "step", index }, key === undefined ? {} : { key });
      return true;
    },
    { timeoutMs: 40_000, message: `step ${index} to be published` },
  );
}

/** A subscription that remembers everything, and can say what is wrong with it. */
export interface Witness {
  readonly items: readonly (Delivered | Gap)[];
  /** What was delivered and what was reported: `[0, 1, "trimmed", 5]`. */
  told(): unknown[];
  /** Waits until everything is accounted for (E1), and returns what is not when the time is up. */
  discrepancies(log: TopicLog): Promise<string[]>;
}

/** Subscribes from now on. */
export async function witness({ bus, log }: RedisBus, topic: string): Promise<Witness> {
  const items: (Delivered | Gap)[] = [];
  // A fail-over before this may not be over for these connections yet.
  const starts = await eventually(() => log.position(topic), { timeoutMs: 40_000 });
  const cursor = await bus.position(topic);
  const subscription = bus.subscribe(topic, { from: { cursor } }, (item) => items.push(item));
  await subscription.ready;
  const partitions = log.partitions(topic);

  async function check(from: TopicLog): Promise<string[]> {
    const found: string[] = [];
    for (const [partition, start] of starts.entries()) {
      const page = await from.read(topic, partition, "start", 100_000);
      const problems = discrepancies({ items, topic, partition, partitions, start, log: page });
      found.push(...problems.map((problem) => `partition ${partition}: ${problem}`));
    }
    return found;
  }
  return {
    items,
    told: () => items.map((item) => (item.type === "event" ? item.event.index : item.reason)),
    async discrepancies(from) {
      // Reading whole logs again and again would slow down whoever is still catching up.
      const atTop = async (): Promise<boolean> =>
        subscription.cursor() === formatCursor(topic, await from.position(topic));
      await eventually(atTop, { timeoutMs: 60_000, everyMs: 50 }).catch(() => {});
      let last: string[] = ["the log could not be read"];
      const settled = eventually(
        async () => {
          last = await check(from);
          return last.length === 0;
        },
        { timeoutMs: 10_000, everyMs: 1000 },
      );
      await settled.catch(() => {});
      return last;
    },
  };
}
