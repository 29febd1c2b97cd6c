import { hash, type Random, randomId, systemRandom, type Unsubscribe } from "@parallax/core";
import type { BusEvent, NodeMessage } from "./event-bus.ts";
import { checkLogBounds } from "./events.ts";
import type { LogBatch, LogEntry, LogPosition, TaggedEvent } from "./store.ts";

/** All logs as they were at one moment. Opaque: what {@link MemoryEventLogSpace.restore} takes. */
export interface MemoryLogSnapshot {
  readonly logs: ReadonlyMap<string, MemoryLog>;
}

/** The log of one topic and partition. */
export interface MemoryLog {
  readonly top: LogPosition;
  readonly entries: readonly LogEntry[];
}

/** Options of {@link memoryEventLogSpace}. */
export interface MemoryEventLogSpaceOptions {
  /** Partitions of every topic but the coordination topics. Default 1. */
  readonly partitions?: number;
  /** Topics with a single partition, as those are that lie beside the lease. Default `["cluster"]`. */
  readonly coordinationTopics?: readonly string[];
  /** How many entries a log keeps. Default 10 000. */
  readonly maxEntries?: number;
  /** How long a log keeps an entry, in milliseconds; looked at when something is appended. Default one day. */
  readonly maxAgeMs?: number;
  readonly random?: Random;
}

/**
 * The logs and channels that the nodes of one process share. State store, lease and members append to it in the same step
 * as they change (S1).
 */
export interface MemoryEventLogSpace {
  partitions(topic: string): number;
  /** The partition of a key, as on Redis spread by a stable hash. */
  partitionOf(topic: string, key: string): number;
  /** Appends at once, and returns the sequences of the first and the last event. Listeners hear of it in a microtask. */
  append(
    topic: string,
    partition: number,
    events: readonly TaggedEvent[],
    nowMs: number,
  ): { readonly first: number; readonly last: number };
  /** Top and entries, oldest first, as they are now. A log that does not exist is begun. */
  log(topic: string, partition: number): MemoryLog;
  listen(topic: string, onBatch: (batch: LogBatch) => void): Unsubscribe;
  send(nodeId: string, message: NodeMessage): void;
  receive(nodeId: string, onMessage: (message: NodeMessage) => void): Unsubscribe;
  /** For simulations: keeps the newest `count` entries only. */
  trim(topic: string, partition: number, count: number): void;
  /** For simulations: what `restore` brings back. */
  snapshot(): MemoryLogSnapshot;
  /** For simulations: takes back what was appended since, as a fail-over to a stale replica does. */
  restore(snapshot: MemoryLogSnapshot): void;
  /** For simulations: all logs are lost. */
  drop(): void;
}

/** Makes the logs and channels of one process. Hand the same space to the bus and the stores of all its nodes. */
export function memoryEventLogSpace(options: MemoryEventLogSpaceOptions = {}): MemoryEventLogSpace {
  const { partitions = 1, coordinationTopics = ["cluster"], random = systemRandom } = options;
  const { maxEntries = 10_000, maxAgeMs = 86_400_000 } = options;
  checkLogBounds(maxEntries, maxAgeMs);
  const channels = createChannels<LogBatch>();
  const nodes = createChannels<NodeMessage>();
  const logs = new Map<string, { top: LogPosition; entries: LogEntry[] }>();

  function open(topic: string, partition: number): { top: LogPosition; entries: LogEntry[] } {
    const name = `${topic}/${partition}`;
    const existing = logs.get(name);
    if (existing) return existing;
    const log = { top: { epoch: randomId("", random), sequence: 0, tag: "" }, entries: [] };
    logs.set(name, log);
    return log;
  }

  const space: MemoryEventLogSpace = {
    partitions: (topic) => (coordinationTopics.includes(topic) ? 1 : partitions),
    partitionOf: (topic, key) => hash(key) % space.partitions(topic),
    append(topic, partition, events, nowMs) {
      const log = open(topic, partition);
      const { epoch, sequence } = log.top;
      const added = link(log.top, events, nowMs);
      const last = added.at(-1);
      if (!last) return { first: sequence + 1, last: sequence };
      log.entries.push(...added);
      log.top = { epoch, sequence: last.sequence, tag: last.tag };
      const young = log.entries.findIndex(({ atMs }) => atMs >= nowMs - maxAgeMs);
      log.entries.splice(0, Math.max(young, log.entries.length - maxEntries));
      channels.emit(topic, { topic, partition, epoch, entries: added });
      return { first: sequence + 1, last: last.sequence };
    },
    log: open,
    listen: channels.listen,
    send: nodes.emit,
    receive: nodes.listen,
    trim(topic, partition, count) {
      const { entries } = open(topic, partition);
      entries.splice(0, entries.length - count);
    },
    snapshot: () => ({
      logs: new Map([...logs].map(([name, { top, entries }]) => [name, { top, entries: [...entries] }])),
    }),
    restore(snapshot) {
      logs.clear();
      for (const [name, { top, entries }] of snapshot.logs) logs.set(name, { top, entries: [...entries] });
    },
    drop: () => logs.clear(),
  };
  return space;
}

function link(top: LogPosition, events: readonly TaggedEvent[], nowMs: number): LogEntry[] {
  return events.map(({ tag, json }, index) => {
    const event: BusEvent = JSON.parse(json);
    const previous = index === 0 ? top.tag : (events[index - 1]?.tag ?? "");
    return { sequence: top.sequence + 1 + index, tag, previous, atMs: nowMs, event };
  });
}

interface Channels<Message> {
  listen(name: string, listener: (message: Message) => void): Unsubscribe;
  emit(name: string, message: Message): void;
}

function createChannels<Message>(): Channels<Message> {
  const channels = new Map<string, Set<{ readonly listener: (message: Message) => void }>>();
  return {
    listen(name, listener) {
      const entry = { listener };
      const channel = channels.get(name) ?? new Set();
      channels.set(name, channel.add(entry));
      return () => {
        channel.delete(entry);
        if (channel.size === 0 && channels.get(name) === channel) channels.delete(name);
      };
    },
    emit(name, message) {
      // As with a socket, nobody hears of it before the writer has gone on.
      void Promise.resolve().then(() => {
        for (const { listener } of [...(channels.get(name) ?? [])]) listener(message);
      });
    },
  };
}
