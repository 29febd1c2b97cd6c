import { type CancelTimer, type Clock, ParallaxError } from "@parallax/core";
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
  readonly clock: Pick<Clock, "after">;
  /** Sends a batch and settles each of its changes. Never rejects. */
  readonly send: (batch: readonly PendingChange[]) => Promise<void>;
}

export interface Batcher {
  /** @throws ParallaxError `overloaded` */
  add(pending: PendingChange): void;
  /** Resolves once nothing is on its way. */
  idle(): Promise<void>;
}

/** How long changes wait for the answer to those before them, in ms: a server that hangs must not hold back what may pass. */
const longestHoldMs = 20;

/** What goes to one collection and partition. */
interface Group {
  queue: PendingChange[];
  /** Batches without an answer. */
  inFlight: number;
  isDue: boolean;
  cancelHold: CancelTimer | undefined;
}

/**
 * Puts together what goes to one collection and partition in one tick and, while a batch is on its way, all that comes until
 * its answer does: the busier the store, the more travels together. Keeps changes of one record apart: the
 * next one leaves when the one before has its answer, so that a repeated change never lands behind a later one (S2).
 * Deposits, which are idempotent by their key, do not queue up behind their record.
 */
export function createBatcher(options: BatcherOptions): Batcher {
  const { batchSize, batchBytes, maxPending, maxPendingBytes, clock, send } = options;
  /** Changes that wait for the one in flight, by record. A record is in here while a change of it is on its way. */
  const lanes = new Map<string, PendingChange[]>();
  const groups = new Map<string, Group>();
  let pending = 0;
  let pendingBytes = 0;
  let onIdle: (() => void)[] = [];

  function enqueue(item: PendingChange): void {
    const name = `${item.partition}/${item.replicas}/${item.layout.collection}`;
    const group = groups.get(name) ?? { queue: [], inFlight: 0, isDue: false, cancelHold: undefined };
    groups.set(name, group);
    group.queue.push(item);
    if (group.inFlight === 0) flushSoon(name, group);
    else group.cancelHold ??= clock.after(longestHoldMs, () => flush(name, group));
  }

  function flushSoon(name: string, group: Group): void {
    if (group.isDue) return;
    group.isDue = true;
    queueMicrotask(() => flush(name, group));
  }

  function flush(name: string, group: Group): void {
    const { queue } = group;
    group.cancelHold?.();
    Object.assign(group, { queue: [], isDue: false, cancelHold: undefined });
    let batch: PendingChange[] = [];
    let bytes = 0;
    for (const item of queue) {
      if (batch.length === batchSize || (batch.length > 0 && bytes + item.bytes > batchBytes)) {
        depart(name, group, batch);
        batch = [];
        bytes = 0;
      }
      batch.push(item);
      bytes += item.bytes;
    }
    if (batch.length > 0) depart(name, group, batch);
  }

  function depart(name: string, group: Group, batch: readonly PendingChange[]): void {
    group.inFlight += 1;
    void send(batch).then(() => {
      group.inFlight -= 1;
      if (group.inFlight > 0) return;
      if (group.queue.length > 0) flushSoon(name, group);
      else groups.delete(name);
    });
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
