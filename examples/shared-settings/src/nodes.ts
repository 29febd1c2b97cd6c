import { createEventBus } from "@parallax/event-bus";
import { memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { createStateStore, type StateStore } from "@parallax/state-store";
import { memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { Redis } from "ioredis";

/** A node's store, and how it is closed. */
export interface Node {
  readonly store: StateStore;
  close(): Promise<void>;
}

/** Where the nodes keep what they share: the Redis of `REDIS_URL`, or this process. */
export function openNodes(redisUrl: string | undefined): { connect: () => Node; close: () => void } {
  if (redisUrl === undefined || redisUrl === "") {
    const log = memoryEventLogSpace();
    const space = memoryRecordSpace({ log });
    return {
      connect: () => {
        const bus = createEventBus({ store: memoryTopicLog(log) });
        return nodeOf(createStateStore({ backend: memoryRecordBackend(space), bus }), bus);
      },
      close: () => {},
    };
  }
  const client = new Redis(redisUrl);
  return {
    connect: () => {
      const bus = createEventBus({ store: redisTopicLog(client) });
      return nodeOf(createStateStore({ backend: redisRecordBackend(client), bus }), bus);
    },
    close: () => client.disconnect(),
  };
}

function nodeOf(store: StateStore, bus: { close(): Promise<void> }): Node {
  return {
    store,
    async close() {
      await store.close();
      await bus.close();
    },
  };
}
