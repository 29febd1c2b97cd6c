import {
  type Clock,
  callListener,
  type IterateOptions,
  type Listener,
  type Logger,
  noopLogger,
  ParallaxError,
  type Random,
  safeOnError,
  systemClock,
  systemRandom,
  type Unsubscribe,
  withDeadline,
} from "@parallax/core";
import { formatCursor } from "./cursor.ts";
import { checkKey, checkNodeId, checkTopic, encodeEvent } from "./events.ts";
import { createFeed, type Feed } from "./feed.ts";
import { checkIterateOptions, iterateItems, type Room } from "./iterate.ts";
import { closedError, createPublisher } from "./publisher.ts";
import type { TopicLog } from "./store.ts";
import { createFeedMember } from "./subscription.ts";
import { createSyncLatency } from "./sync-latency.ts";
import { createTags } from "./tags.ts";

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

/**
 * Events that this subscriber will never see, or saw and that were taken back (E1). Reload what they told about: what the
 * topic said up to the gap's end cannot be relied on.
 *
 * - `trimmed`: the log is bounded, and these were cut before they could be read.
 * - `epoch`: the log was lost and began again. `from` is in the old one, whose end nobody knows; the new one follows whole, or
 *   from where this subscription had left it, as after a server that came back empty for a moment.
 * - `rewound`: a fail-over took events back. Where the two histories part is not known, so `from` is 1.
 * - `overflow`: the consumer of `iterate` was too slow and chose to drop.
 */
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

/** Options of {@link EventBus.subscribe}. */
export interface SubscribeOptions {
  /** Where to begin. Default `now`. */
  readonly from?: From;
  /** Called with what the listener throws, or its promise is rejected with; the subscription goes on. */
  readonly onError?: (error: unknown) => void;
}

/** One subscription to a topic, until it is closed. */
export interface Subscription {
  /**
   * Resolves once the subscription is live: what is appended from then on will be delivered or reported as a gap.
   * @throws ParallaxError `closed` if it is closed before
   */
  readonly ready: Promise<void>;
  /** Where to continue. */
  cursor(): Cursor;
  /** Ends it: the listener is not called any more. Harmless when called again. */
  close(): void;
}

/** A small message between nodes: best effort, a hint whose loss the record makes good (X2). */
export interface NodeMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Figures of this process, since the bus was made. */
export interface EventBusStats {
  /** Milliseconds from publishing to our own delivery; `quantile(q)` over the last five minutes, NaN without samples. */
  readonly syncLatencyMs: { readonly count: number; readonly sumMs: number; quantile(q: number): number };
  /** Gaps that were handed out, by reason. */
  readonly gaps: Readonly<Record<Gap["reason"], number>>;
  /** Events that were handed to listeners, each counted once a subscription. */
  readonly delivered: number;
  /** Appends that the store has acknowledged. */
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
  /**
   * Appends. `key` chooses the partition (default: the first); events of one key keep their order. Resolves once the store
   * acknowledged; nothing is repeated by itself, as that could append twice.
   * @throws ParallaxError `invalid_topic`, `invalid_key`, `invalid_event`, `event_too_large`, `overloaded`, `closed`, and the store's:
   * after `timeout` the event may be in the log or not.
   */
  publish(topic: string, event: BusEvent, options?: { readonly key?: string }): Promise<void>;
  /**
   * Calls `listener` with each event and gap, in order, never before `subscribe` has returned. Nobody waits for what an
   * `async` listener still has to do: where that matters, use {@link EventBus.iterate}.
   * @throws ParallaxError `invalid_topic`, `invalid_cursor`, `invalid_options` if there is no listener, `closed`
   */
  subscribe(topic: string, options: SubscribeOptions, listener: Listener<Delivered | Gap>): Subscription;
  /**
   * The same as an iterator with a bounded buffer; the subscription begins with the first `next()` and ends with the loop.
   * What lies in the log is read as fast as it is consumed; what is published meanwhile waits there. Only a consumer that has
   * caught up, and is then too slow for what is published live, finds the buffer full.
   * @throws ParallaxError `overflow` from the iterator, `invalid_options`, `invalid_cursor`, `closed`
   */
  iterate(topic: string, options?: SubscribeOptions & IterateOptions): AsyncIterableIterator<Delivered | Gap>;
  /**
   * The position at the top of the log. Read it before loading a snapshot.
   * @throws ParallaxError `invalid_topic`, `closed`, and the store's
   */
  position(topic: string): Promise<Cursor>;
  /**
   * Sends a hint to one node.
   * @throws ParallaxError `invalid_node`, `invalid_event`, `event_too_large`, `closed`, and the store's
   */
  send(nodeId: string, message: NodeMessage): Promise<void>;
  /** Receives hints for `nodeId`. @throws ParallaxError `invalid_node`, `invalid_options` if there is no listener, `closed` */
  receive(nodeId: string, listener: Listener<NodeMessage>): Unsubscribe;
  /** Figures for metrics, worked out at the call. */
  stats(): EventBusStats;
  /**
   * Told by the state store what it appends, so that sync latency covers records too: the events' tags, and `clock.now()`
   * from before the write. Call it before the write: the delivery may be faster than the write's answer.
   */
  sent(topic: string, tags: readonly string[], sentAt: number): void;
  /** Ends all subscriptions and iterations, appends what waits (at most 5 s), and closes the store. Harmless when called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of {@link createEventBus}. */
export interface EventBusOptions {
  /** Where the logs are. The bus closes it. */
  readonly store: TopicLog;
  /** Publishes of one tick travel together, up to this many. Default 128. */
  readonly batchSize?: number;
  /** Milliseconds within which a dead channel is found: how often the position is compared with the log's top (E2). Default 5000. */
  readonly checkIntervalMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives failures that the bus tries again after, and what listeners throw. Default: the log. */
  readonly onError?: (error: unknown) => void;
}

/** How long closing waits for events that are on their way. */
const closeTimeoutMs = 5000;

/**
 * Makes an event bus on a store: `memoryTopicLog` or `redisTopicLog`.
 * @throws ParallaxError `invalid_options` for a batch size or an interval that is not positive, or no store.
 */
export function createEventBus(options: EventBusOptions): EventBus {
  const { store: log, batchSize = 128, checkIntervalMs = 5000 } = options;
  const { clock = systemClock, random = systemRandom, logger = noopLogger } = options;
  const { onError: given = (error) => logger.warn("the event bus tries again after a failure", { error }) } =
    options;
  const onError = safeOnError(given, logger);
  checkOptions(log, batchSize, checkIntervalMs);

  const feeds = new Map<string, Feed>();
  const publisher = createPublisher(log, batchSize);
  const latency = createSyncLatency(clock);
  const gaps = { trimmed: 0, epoch: 0, rewound: 0, overflow: 0 };
  const closers = new Set<() => void>();
  const stopped = new AbortController();
  const nextTag = createTags(random);
  let delivered = 0;
  let closing: Promise<void> | undefined;

  function feedOf(topic: string): Feed {
    const existing = feeds.get(topic);
    if (existing) return existing;
    const feed = createFeed({ topic, log, clock, logger, checkIntervalMs, onError });
    feeds.set(topic, feed);
    return feed;
  }

  function sent(topic: string, tags: readonly string[], sentAt: number): void {
    if (feeds.get(topic)?.size) latency.sent(tags, sentAt);
  }

  function subscribe(
    topic: string,
    { from, onError: ofSubscription }: SubscribeOptions,
    listener: Listener<Delivered | Gap>,
    room?: Room,
  ): Subscription {
    checkTopic(topic);
    checkListener(listener);
    if (closing) throw closedError();
    const onListenerError = ofSubscription ? safeOnError(ofSubscription, logger) : onError;
    const feed = feedOf(topic);
    const member = createFeedMember({
      ...{ topic, log, clock, random, from, room, onError },
      onItem(item, tag) {
        if (item.type === "gap") gaps[item.reason] += 1;
        else delivered += 1;
        if (tag !== undefined) latency.delivered(tag);
        callListener(listener, item, onListenerError);
      },
      onClose() {
        feed.remove(member);
        if (feed.size === 0) feeds.delete(topic);
        closers.delete(member.close);
      },
    });
    closers.add(member.close);
    feed.add(member);
    return member.subscription;
  }

  async function close(): Promise<void> {
    const bound = { clock, timeoutMs: closeTimeoutMs, what: "appending the last events" };
    await withDeadline(publisher.close(), bound).catch(onError);
    stopped.abort();
    for (const closeOne of [...closers]) closeOne();
    await log[Symbol.asyncDispose]();
  }

  const bus: EventBus = {
    // No `async`: at a hundred thousand events a second, one promise for each is enough.
    publish(topic, event, { key } = {}) {
      try {
        checkTopic(topic);
        checkKey(key);
        const json = encodeEvent(event, `publishing to ${topic}`);
        const tag = nextTag();
        if (feeds.get(topic)?.size) latency.sent([tag], clock.now());
        const partition = key === undefined ? 0 : log.partitionOf(topic, key);
        return publisher.publish(topic, partition, { tag, json });
      } catch (error) {
        return Promise.reject(error);
      }
    },
    subscribe: (topic, subscribeOptions, listener) => subscribe(topic, subscribeOptions, listener),
    iterate(topic, { from, onError: onListenerError, ...bounds } = {}) {
      checkIterateOptions(bounds);
      const given = { ...(from && { from }), ...(onListenerError && { onError: onListenerError }) };
      const onOverflowGap = (): void => {
        gaps.overflow += 1;
      };
      const within = { ...bounds, closed: stopped.signal, onOverflowGap };
      return iterateItems((listener, room) => subscribe(topic, given, listener, room), within);
    },
    async position(topic) {
      checkTopic(topic);
      if (closing) throw closedError();
      return formatCursor(topic, await log.position(topic));
    },
    async send(nodeId, message) {
      if (closing) throw closedError();
      checkNodeId(nodeId);
      encodeEvent(message, `sending to ${nodeId}`);
      await log.send(nodeId, message);
    },
    receive(nodeId, listener): Unsubscribe {
      if (closing) throw closedError();
      checkNodeId(nodeId);
      checkListener(listener);
      const stop = log.receive(nodeId, (message) => callListener(listener, message, onError));
      closers.add(stop);
      return () => {
        closers.delete(stop);
        stop();
      };
    },
    stats: () => ({
      syncLatencyMs: latency.summary(),
      gaps: { ...gaps },
      delivered,
      published: publisher.published,
      live: [...feeds.values()].every((feed) => feed.live),
    }),
    sent,
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => bus.close(),
  };
  return bus;
}

function checkListener(listener: unknown): void {
  if (typeof listener === "function") return;
  throw new ParallaxError(
    "invalid_options",
    "listening without a listener: pass a function, after the options of a subscription",
  );
}

function checkOptions(log: TopicLog, batchSize: number, checkIntervalMs: number): void {
  if (typeof log?.append !== "function") {
    throw new ParallaxError(
      "invalid_options",
      "creating an event bus without a store: pass memoryTopicLog(space) or redisTopicLog(client)",
    );
  }
  if (Number.isInteger(batchSize) && batchSize > 0 && checkIntervalMs > 0) return;
  throw new ParallaxError(
    "invalid_options",
    `creating an event bus with batchSize ${batchSize} and checkIntervalMs ${checkIntervalMs}: both have to be positive, batchSize a whole number`,
  );
}
