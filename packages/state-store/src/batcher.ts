import { ParallaxError } from "@parallax/core";
import type { Change, ChangeOutcome, Layout } from "./store.ts";

/** A change on its way, with those who wait for it. */
export interface PendingChange {
  readonly layout: Layout;
  readonly partition: number;
  readonly replicas: number;
  readonly change: Change;
  readonly bytes: number;
  resolve(outcome: ChangeOutcome): void;
  reject(error: unknown): void;
}

export interface BatcherOptions {
  /** How many changes travel together. */
  readonly batchSize: number;
  /** How many bytes travel together, unless one change alone has more. */
  readonly batchBytes: number;
  /** How many changes and bytes may be on their way or waiting, before new ones are refused (S7). */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  /** Sends a batch and settles each of its changes. Never rejects. */
  readonly send: (batch: readonly PendingChange[]) => Promise<void>;
}

export interface Batcher {
  /** @throws ParallaxError `overloaded` */
  add(pending: PendingChange): void;
  /** Resolves once nothing is on its way. */
  idle(): Promise<void>;
}

/**
 * Puts together what goes to one collection and partition in one tick, in order, and keeps changes of one record apart: the
 * next one leaves when the one before has its answer, so that a repeated change never lands behind a later one (S2).
 * Deposits, which are idempotent by their key, do not queue up behind their record.
 */
export function createBatcher(options: BatcherOptions): Batcher {
  const { batchSize, batchBytes, maxPending, maxPendingBytes, send } = options;
  /** Changes that wait for the one in flight, by record. A record is in here while a change of it is on its way. */
  const lanes = new Map<string, PendingChange[]>();
  const queues = new Map<string, PendingChange[]>();
  let pending = 0;
  let pendingBytes = 0;
  let onIdle: (() => void)[] = [];

  function enqueue(item: PendingChange): void {
    const group = `${item.partition}/${item.replicas}/${item.layout.collection}`;
    const queue = queues.get(group);
    if (queue) {
      queue.push(item);
      return;
    }
    queues.set(group, [item]);
    queueMicrotask(() => flush(group));
  }

  function flush(group: string): void {
    const queue = queues.get(group) ?? [];
    queues.delete(group);
    let batch: PendingChange[] = [];
    let bytes = 0;
    for (const item of queue) {
      if (batch.length === batchSize || (batch.length > 0 && bytes + item.bytes > batchBytes)) {
        void send(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(item);
      bytes += item.bytes;
    }
    void send(batch);
  }

  function settled(item: PendingChange, lane: string | undefined): void {
    pending -= 1;
    pendingBytes -= item.bytes;
    if (lane !== undefined) {
      const next = lanes.get(lane)?.shift();
      if (next) enqueue(next);
      else lanes.delete(lane);
    }
    if (pending > 0) return;
    for (const resolve of onIdle) resolve();
    onIdle = [];
  }

  return {
    add(item) {
      if (pending >= maxPending || pendingBytes + item.bytes > maxPendingBytes) throw overloaded(pending);
      pending += 1;
      pendingBytes += item.bytes;
      const { change, layout } = item;
      const lane = change.op === "deposit" ? undefined : `${layout.collection}:${change.id}`;
      const tracked: PendingChange = {
        ...item,
        resolve(outcome) {
          settled(item, lane);
          item.resolve(outcome);
        },
        reject(error) {
          settled(item, lane);
          item.reject(error);
        },
      };
      const waiting = lane === undefined ? undefined : lanes.get(lane);
      if (waiting) {
        waiting.push(tracked);
        return;
      }
      if (lane !== undefined) lanes.set(lane, []);
      enqueue(tracked);
    },
    idle() {
      return pending === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve));
    },
  };
}

function overloaded(pending: number): ParallaxError<"overloaded"> {
  const message = `changing a record: ${pending} changes wait for the store already; try again when it has caught up`;
  return new ParallaxError("overloaded", message, { details: { pending } });
}
