import { ParallaxError } from "@parallax/core";
import type { TaggedEvent, TopicLog } from "./store.ts";

/** How many events may wait for one partition of one topic (S7). */
const maxQueued = 10_000;

interface Waiting extends TaggedEvent {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Appends events so that those of one tick travel together (E3), in the order in which they were published. */
export interface Publisher {
  /** How many appends are known to have worked. */
  readonly published: number;
  /** @throws ParallaxError `overloaded` past the bound of the queue, `closed`, and what the store rejects with. */
  publish(topic: string, partition: number, event: TaggedEvent): Promise<void>;
  /** Refuses new events, and resolves once those that wait were appended or rejected. */
  close(): Promise<void>;
}

/**
 * One append at a time for each partition: what is published meanwhile forms the next batch, so batches grow with the
 * load and no event overtakes another.
 */
export function createPublisher(log: TopicLog, batchSize: number): Publisher {
  const lanes = new Map<string, { readonly queue: Waiting[]; readonly done: Promise<void> }>();
  let closed = false;
  let published = 0;

  async function work(topic: string, partition: number, queue: Waiting[]): Promise<void> {
    // The tick ends first: what it still publishes travels along.
    await Promise.resolve();
    while (queue.length > 0) {
      const batch = queue.splice(0, batchSize);
      try {
        await log.append(topic, partition, batch);
        published += batch.length;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
        // While closing, nothing waits behind a store that fails.
        if (closed) for (const { reject } of queue.splice(0)) reject(error);
      }
    }
    lanes.delete(laneName(topic, partition));
  }

  return {
    get published() {
      return published;
    },
    publish(topic, partition, event) {
      const name = laneName(topic, partition);
      const lane = lanes.get(name);
      if (closed) return Promise.reject(closedError());
      if (lane && lane.queue.length >= maxQueued) return Promise.reject(overloadedError(topic));
      return new Promise((resolve, reject) => {
        const waiting = { tag: event.tag, json: event.json, resolve, reject };
        if (lane) lane.queue.push(waiting);
        else {
          const queue = [waiting];
          lanes.set(name, { queue, done: work(topic, partition, queue) });
        }
      });
    },
    async close() {
      closed = true;
      await Promise.all([...lanes.values()].map(({ done }) => done));
    },
  };
}

function laneName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** What every use of a closed bus ends with. */
export function closedError(): ParallaxError<"closed"> {
  return new ParallaxError("closed", "using an event bus that was closed; create another");
}

function overloadedError(topic: string): ParallaxError<"overloaded"> {
  const message = `publishing to ${topic}: ${maxQueued} events wait for the store already; publish less or try again later`;
  return new ParallaxError("overloaded", message, { details: { topic, maxQueued } });
}
