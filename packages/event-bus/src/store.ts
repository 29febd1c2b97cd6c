import type { Unsubscribe } from "@parallax/core";
import type { BusEvent, NodeMessage } from "./event-bus.ts";

/** The top of a log, or a place in it: everything up to and including `sequence` lies behind. */
export interface LogPosition {
  /** Random name of the log's life: a log that was lost and begun again has another. */
  readonly epoch: string;
  /** 0 before the first entry. */
  readonly sequence: number;
  /** Tag of the entry with that sequence; empty before the first (E4). */
  readonly tag: string;
}

/** One entry of a log, linked to its predecessor by the latter's tag (E4). */
export interface LogEntry {
  readonly sequence: number;
  /** Random, so that no two entries share one, not even of a log that was taken back and gives numbers again. */
  readonly tag: string;
  /** Tag of the predecessor, also when that is trimmed; empty for the first entry of an epoch. */
  readonly previous: string;
  /** Store time of the append, epoch ms. */
  readonly atMs: number;
  readonly event: BusEvent;
}

/** What one append published: entries without a hole between them. */
export interface LogBatch {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
}

/** What a read found, in one atomic step: the log's top, and the oldest entries after the place that was asked for. */
export interface LogPage {
  readonly top: LogPosition;
  readonly entries: readonly LogEntry[];
}

/** An event on its way into a log. */
export interface TaggedEvent {
  /** Random, of [0-9a-z]: the tag that its entry will carry. */
  readonly tag: string;
  /** The event as JSON object text. */
  readonly json: string;
}

/**
 * What an event bus needs of a store. Each call is one attempt and never retries; the loops above do. A call rejects with
 * `timeout` (outcome unknown) or the store's own code for what was not sent.
 */
export interface TopicLog {
  /** How many partitions a topic has. Constant. */
  partitions(topic: string): number;
  /** The partition of a key: below `partitions(topic)`, the same on every node. */
  partitionOf(topic: string, key: string): number;
  /**
   * Appends in one step, in order, with dense sequences, and publishes the batch to whoever listens. The log is bounded: the
   * oldest entries make room. After `timeout` the events may be in the log or not.
   */
  append(topic: string, partition: number, events: readonly TaggedEvent[]): Promise<void>;
  /** The tops of all partitions, by number. A log that does not exist is begun, so that each position has an epoch. */
  position(topic: string): Promise<readonly LogPosition[]>;
  /**
   * The oldest entries after `after`, at most `limit`. `start`, or a position of another epoch, reads from the oldest entry.
   */
  read(topic: string, partition: number, after: LogPosition | "start", limit: number): Promise<LogPage>;
  /**
   * Listens to what is published. `onReady` is called each time the channel has come up, the first included: what was
   * published before may have been missed, so read the log. Batches may be lost, doubled or late; the log is the truth.
   */
  listen(topic: string, onBatch: (batch: LogBatch) => void, onReady: () => void): Unsubscribe;
  /** Opens the channels anew: the remedy for one that looks open and is dead (E2). */
  recycle(reason: string): void;
  /** Sends a message to whoever receives for that node; nobody need. */
  send(nodeId: string, message: NodeMessage): Promise<void>;
  receive(nodeId: string, onMessage: (message: NodeMessage) => void): Unsubscribe;
  [Symbol.asyncDispose](): Promise<void>;
}
