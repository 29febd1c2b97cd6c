import { type CancelTimer, type Clock, ParallaxError } from "@parallax/core";
import type { Change, ChangeOutcome, Layout } from "./store.ts";

/** A change on its way, with those who wait for it. */
export interface PendingChange {
  readonly layout: Layout;
  readonly partition: number;
  readonly replicas: number;
  readonly change: Change;
  readonly bytes: number;
  /** How many ordinary changes it takes the store as long as. */
  readonly weight: number;
  /** Where its request got no answer before: a store time that had passed when that was first made. */
  readonly repeatedSinceMs: number | undefined;
  resolve(outcome: ChangeOutcome): void;
  reject(error: unknown): void;
}

export interface BatcherOptions {
  /** How many ordinary changes travel together. */
  readonly batchSize: number;
  /** How many bytes travel together, unless one change alone has more. */
  readonly batchBytes: number;
  /** How many changes and bytes may be on their way or waiting, before new ones are refused (S7). */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly clock: Pick<Clock, "after">;
  /**
   * Sends a batch and settles each of its changes. Never throws. `answered` is called once the first attempt has ended,
   * however it did: what is repeated must not hold up others.
   */
  readonly send: (batch: readonly PendingChange[], answered: () => void) => void;
}

export interface Batcher {
  /** @throws ParallaxError `overloaded` */
  add(pending: PendingChange): void;
  /** Resolves once nothing is on its way. */
  idle(): Promise<void>;
}

/**
 * How many batches of a group may wait for their answers. Redis runs one script after the other: with one running and one that
 * waits for it, it is never idle. A third would be small, and its answer would leave together with the second's, so that server
 * and node would take turns instead of working at the same time.
 */
const maxOpenBatches = 2;

/** How long changes wait for the answers to those before them, in ms: a call that hangs must not hold back what may pass. */
const longestHoldMs = 20;

/** What goes to one collection and partition in the same manner. */
interface Group {
  readonly waiting: PendingChange[];
  /** Batches without an answer. */
  open: number;
  isDue: boolean;
  cancelHold: CancelTimer | undefined;
}

/**
 * Puts together what goes to one collection and partition in one tick, and while the server is busy what comes meanwhile, in
 * order. It keeps changes of one record apart: the next one leaves when the one before has its answer, so that a repeated
 * change never lands behind a later one (S2). Deposits, which are idempotent by their key, do not queue up behind their record.
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
    const { partition, replicas, layout, repeatedSinceMs } = item;
    const name = `${partition}/${replicas}/${layout.collection}/${repeatedSinceMs ?? ""}`;
    const group = groups.get(name) ?? { waiting: [], open: 0, isDue: false, cancelHold: undefined };
    groups.set(name, group);
    group.waiting.push(item);
    if (group.open < maxOpenBatches) flushSoon(name, group);
    else hold(name, group);
  }

  /** Waits for an answer, but not for long. */
  function hold(name: string, group: Group): void {
    group.cancelHold ??= clock.after(longestHoldMs, () => {
      group.cancelHold = undefined;
      flush(name, group, Number.POSITIVE_INFINITY);
    });
  }

  function flushSoon(name: string, group: Group): void {
    if (group.isDue) return;
    group.isDue = true;
    queueMicrotask(() => {
      group.isDue = false;
      flush(name, group, maxOpenBatches);
    });
  }

  function flush(name: string, group: Group, maxOpen: number): void {
    while (group.waiting.length > 0 && group.open < maxOpen) {
      group.open += 1;
      send(group.waiting.splice(0, nextBatch(group.waiting)), () => {
        group.open -= 1;
        group.cancelHold?.();
        group.cancelHold = undefined;
        // In a microtask: whoever was waiting for an answer may have more to send.
        flushSoon(name, group);
      });
    }
    if (group.waiting.length > 0) hold(name, group);
    else if (group.open === 0) groups.delete(name);
  }

  /** How many changes go together. */
  function nextBatch(waiting: readonly PendingChange[]): number {
    let weight = 0;
    let bytes = 0;
    for (const [count, item] of waiting.entries()) {
      weight += item.weight;
      bytes += item.bytes;
      if (count > 0 && (weight > batchSize || bytes > batchBytes)) return count;
    }
    return waiting.length;
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
