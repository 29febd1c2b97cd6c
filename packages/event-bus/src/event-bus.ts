import type { Clock, IterateOptions, Listener, Logger, Random, Unsubscribe } from "@parallax/core";

/** What is published. References, not payloads: at most 16 KiB of JSON (S7). */
export interface BusEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An event as delivered. */
export interface Delivered {
  readonly type: "event";
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  /** Dense per topic and partition: 1, 2, 3, … */
  readonly sequence: number;
  /** Store time of the append, epoch ms. */
  readonly atMs: number;
  readonly event: BusEvent;
  /** Where to continue after this event. */
  readonly cursor: Cursor;
}

/** Events that this subscriber will never see (E1). Reload what they told about. */
export interface Gap {
  readonly type: "gap";
  readonly topic: string;
  readonly partition: number;
  /** First and last missing sequence as far as they are known. */
  readonly from: number;
  readonly to: number | undefined;
  readonly reason: "trimmed" | "epoch" | "rewound" | "overflow";
  readonly cursor: Cursor;
}

/**
 * A position in every partition of a topic, as an opaque string without spaces that can be stored, or sent as an SSE id.
 * A cursor of another topic, or one that is none, is refused with `invalid_cursor`.
 */
export type Cursor = string;

/** Where a subscription begins. `start` is the oldest event that the log still has. */
export type From = "now" | "start" | { readonly cursor: Cursor };

export interface SubscribeOptions {
  readonly from?: From;
  /** Called with what the listener throws; the subscription goes on. */
  readonly onError?: (error: unknown) => void;
}

export interface Subscription {
  /** Resolves once the subscription is live: what is appended from then on will be delivered or reported as a gap. */
  readonly ready: Promise<void>;
  /** Where to continue. */
  cursor(): Cursor;
  close(): void;
}

/** A small message between nodes: best effort, a hint whose loss the record makes good (X2). */
export interface NodeMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface EventBusStats {
  /** Seconds from publishing to our own delivery, over the last minutes: quantiles for the summary. */
  readonly syncLatencyMs: { readonly count: number; readonly sumMs: number; quantile(q: number): number };
  readonly gaps: Readonly<Record<Gap["reason"], number>>;
  readonly delivered: number;
  readonly published: number;
  /** Whether every live subscription was at the log's top at its last check (E2). */
  readonly live: boolean;
}

/**
 * Ordered topics in which a loss is always reported.
 *
 * Guarantee (E1): per topic and partition, events arrive in order and once, and every event that does not arrive is covered
 * by a {@link Gap}. Non-guarantee: a fail-over of the store can take events back; that, too, is a gap.
 */
export interface EventBus {
  /** Appends. `key` chooses the partition (default: the first); events of one key keep their order. Resolves once the store acknowledged. */
  publish(topic: string, event: BusEvent, options?: { readonly key?: string }): Promise<void>;
  subscribe(topic: string, options: SubscribeOptions, listener: Listener<Delivered | Gap>): Subscription;
  iterate(topic: string, options?: SubscribeOptions & IterateOptions): AsyncIterableIterator<Delivered | Gap>;
  /** The position at the top of the log. Read it before loading a snapshot. */
  position(topic: string): Promise<Cursor>;
  /** Sends a hint to one node. */
  send(nodeId: string, message: NodeMessage): Promise<void>;
  /** Receives hints for `nodeId`. */
  receive(nodeId: string, listener: Listener<NodeMessage>): Unsubscribe;
  stats(): EventBusStats;
  /** Told by the state store what it appended, so that sync latency covers records too: `tag` of the event, and when it was sent. */
  sent(topic: string, tags: readonly string[], sentAt: number): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface EventBusOptions {
  /** Publishes of one tick travel together, up to this many. Default 128. */
  readonly batchSize?: number;
  /** How often the position is compared with the log's top (E2). Default 5000. */
  readonly checkIntervalMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  readonly onError?: (error: unknown) => void;
}
