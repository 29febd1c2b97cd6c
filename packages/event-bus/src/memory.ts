import { type Clock, systemClock, type Unsubscribe } from "@parallax/core";
import type { MemoryEventLogSpace } from "./memory-space.ts";
import type { LogBatch, LogPosition, TopicLog } from "./store.ts";

export {
  type MemoryEventLogSpace,
  type MemoryEventLogSpaceOptions,
  type MemoryLog,
  type MemoryLogSnapshot,
  memoryEventLogSpace,
} from "./memory-space.ts";

/** Options of {@link memoryTopicLog}. */
export interface MemoryTopicLogOptions {
  /** The store's time: entries carry its `wall()`. */
  readonly clock?: Clock;
  /** For simulations: what becomes of a published batch on its way to this node. Default: it is handed on. */
  readonly link?: (batch: LogBatch, handOn: (batch: LogBatch) => void) => void;
}

/** One node's access to the shared logs: the embedded backend, complete in one process. */
export function memoryTopicLog(space: MemoryEventLogSpace, options: MemoryTopicLogOptions = {}): TopicLog {
  const { clock = systemClock, link = (batch, handOn) => handOn(batch) } = options;
  const open = new Set<Unsubscribe>();
  const readiness = new Set<() => void>();

  function track(unsubscribe: Unsubscribe): Unsubscribe {
    open.add(unsubscribe);
    return () => {
      open.delete(unsubscribe);
      unsubscribe();
    };
  }

  function announce(): void {
    queueMicrotask(() => {
      for (const onReady of [...readiness]) onReady();
    });
  }

  return {
    partitions: space.partitions,
    partitionOf: space.partitionOf,
    async append(topic, partition, events) {
      space.append(topic, partition, events, clock.wall());
    },
    async position(topic) {
      const partitions = Array.from({ length: space.partitions(topic) }, (_, partition) => partition);
      return partitions.map((partition) => space.log(topic, partition).top);
    },
    async read(topic, partition, after, limit) {
      const { top, entries } = space.log(topic, partition);
      const known = sequenceIn(after, top);
      const first = entries.findIndex(({ sequence }) => sequence > known);
      return { top, entries: first < 0 ? [] : entries.slice(first, first + limit) };
    },
    listen(topic, onBatch, onReady) {
      let listening = true;
      const handOn = (batch: LogBatch): void => {
        if (listening) onBatch(batch);
      };
      const unlisten = space.listen(topic, (batch) => link(batch, handOn));
      const ready = (): void => {
        if (listening) onReady();
      };
      readiness.add(ready);
      queueMicrotask(ready);
      return track(() => {
        listening = false;
        readiness.delete(ready);
        unlisten();
      });
    },
    recycle: announce,
    async send(nodeId, message) {
      space.send(nodeId, structuredClone(message));
    },
    receive: (nodeId, onMessage) => track(space.receive(nodeId, onMessage)),
    async [Symbol.asyncDispose]() {
      for (const unsubscribe of [...open]) unsubscribe();
      open.clear();
    },
  };
}

/** Up to where the caller knows the log; 0 where its position is of another epoch. */
function sequenceIn(after: LogPosition | "start", top: LogPosition): number {
  return after !== "start" && after.epoch === top.epoch ? after.sequence : 0;
}
