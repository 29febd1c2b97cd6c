import { type Clock, createBackoff, createDeferred, type Random } from "@parallax/core";
import {
  beginContinuity,
  type Continuity,
  type ContinuityInput,
  continueWith,
  hasReached,
} from "./continuity.ts";
import { type CursorPart, formatCursor, parseCursor } from "./cursor.ts";
import type { Delivered, Gap, SubscribeOptions, Subscription } from "./event-bus.ts";
import type { Room } from "./iterate.ts";
import { closedError } from "./publisher.ts";
import type { LogBatch, LogPosition, TopicLog } from "./store.ts";

/** Whoever takes what comes has room for pages of 500 entries. */
const boundless: Room = { pageLimit: 500, reserve: async () => () => {} };

/** A subscription as its feed sees it. */
export interface FeedMember {
  readonly subscription: Subscription;
  heard(batch: LogBatch): void;
  /** The channel has come up. */
  connected(): void;
  /** The log's tops, just read (E2). */
  compare(tops: readonly LogPosition[]): void;
  /** The same tops, a while later: how the subscription stands to them (E2). */
  judge(tops: readonly LogPosition[]): { readonly reached: boolean; readonly dead: boolean };
  close(): void;
}

export interface FeedMemberOptions {
  readonly topic: string;
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly from: SubscribeOptions["from"];
  /** Pages of the log are read only where there is room for them. Default: there always is. */
  readonly room: Room | undefined;
  readonly onItem: (item: Delivered | Gap, tag: string | undefined) => void;
  readonly onError: (error: unknown) => void;
  readonly onClose: () => void;
}

/** Drives one {@link Continuity} for each partition: reads the pages that they ask for, and hands on what they deliver. */
export function createFeedMember(options: FeedMemberOptions): FeedMember {
  const { topic, log, clock, random, room = boundless, onItem, onError } = options;
  const places = startingPlaces(options);
  const states: (Continuity | undefined)[] = places.map(() => undefined);
  const stop = new AbortController();
  let begun = false;
  /** Partitions whose next page is not asked for yet: it will have what is heard meanwhile. */
  const waitingForRoom = new Set<number>();
  const { promise: ready, resolve: goLive, reject: giveUp } = createDeferred<void>();

  async function retried<T>(read: () => Promise<T>): Promise<T | undefined> {
    const backoff = createBackoff({ initialMs: 100, maxMs: 2000, random });
    while (!stop.signal.aborted) {
      try {
        return await read();
      } catch (error) {
        if (stop.signal.aborted) return undefined;
        onError(error);
        await clock.sleep(backoff.next(), stop.signal).catch(() => {});
      }
    }
    return undefined;
  }

  async function begin(): Promise<void> {
    const tops = places.includes("now") ? await retried(() => log.position(topic)) : [];
    if (!tops || stop.signal.aborted) return;
    for (const [partition, place] of places.entries()) {
      const known = place === "now" ? tops[partition] : place;
      if (known === undefined) continue;
      places[partition] = known;
      states[partition] = beginContinuity(known);
      void fill(partition, known);
    }
  }

  async function fill(partition: number, after: LogPosition | "start"): Promise<void> {
    waitingForRoom.add(partition);
    const release = await room.reserve();
    waitingForRoom.delete(partition);
    const page = await retried(() => log.read(topic, partition, after, room.pageLimit));
    release();
    if (page) take(partition, { type: "page", page });
  }

  /** Whether the channel was found dead. */
  function take(partition: number, input: ContinuityInput): boolean {
    const before = states[partition];
    if (!before || stop.signal.aborted) return false;
    const { state, effects } = continueWith(before, input);
    states[partition] = state;
    let dead = false;
    for (const effect of effects) {
      if (stop.signal.aborted) return false;
      if (effect.type === "backfill") void fill(partition, effect.after);
      else if (effect.type === "recycle") dead = true;
      else if (effect.type === "gap") {
        const { type, from, to, reason, known } = effect;
        places[partition] = known;
        onItem({ type, topic, partition, from, to, reason, cursor: formatCursor(topic, places) }, undefined);
      } else {
        const { sequence, tag, atMs, event } = effect.entry;
        places[partition] = { epoch: effect.epoch, sequence, tag };
        const cursor = formatCursor(topic, places);
        onItem({ type: "event", topic, partition, epoch: effect.epoch, sequence, atMs, event, cursor }, tag);
      }
    }
    if (!stop.signal.aborted) places[partition] = state.known;
    if (states.every((each) => each?.phase === "live")) goLive();
    return dead;
  }

  function close(): void {
    if (stop.signal.aborted) return;
    stop.abort();
    giveUp(closedError());
    options.onClose();
  }

  return {
    subscription: { ready, cursor: () => formatCursor(topic, places), close },
    heard(batch) {
      if (!waitingForRoom.has(batch.partition)) take(batch.partition, { type: "batch", batch });
    },
    connected() {
      for (const partition of states.keys()) take(partition, { type: "connected" });
      if (begun) return;
      begun = true;
      void begin();
    },
    compare(tops) {
      for (const [partition, top] of tops.entries()) take(partition, { type: "position", top });
    },
    judge(tops) {
      let dead = false;
      // A consumer that takes its time says nothing about the channel.
      let reached = true;
      for (const [partition, top] of tops.entries()) {
        const state = states[partition];
        if (waitingForRoom.size === 0 && (!state || !hasReached(state.known, top))) reached = false;
        if (take(partition, { type: "overdue", top })) dead = true;
      }
      return { reached, dead };
    },
    close,
  };
}

function startingPlaces({ topic, log, from = "now" }: FeedMemberOptions): CursorPart[] {
  const partitions = log.partitions(topic);
  if (from !== "now" && from !== "start")
    return [...parseCursor(topic, partitions, typeof from === "object" ? from?.cursor : from)];
  return Array.from({ length: partitions }, () => from);
}
