import { type Clock, isParallaxError, ParallaxError, type Random } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import { createBatcher, type PendingChange } from "./batcher.ts";
import { isPassing, retrying } from "./retry.ts";
import { type Change, type ChangeOutcome, eventsOf, type Layout, type RecordBackend } from "./store.ts";

/** Options of {@link createWriter}. */
export interface WriterOptions {
  readonly backend: RecordBackend;
  readonly bus: Pick<EventBus, "sent"> | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly batchSize: number;
  readonly batchBytes: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** The way of every change to the store. */
export interface Writer {
  /**
   * @throws ParallaxError `timeout` when the outcome stayed unknown, `not_replicated` when the change is made but too few
   *   replicas have it, `overloaded`, `store_closed`, or the backend's own code when nothing was done.
   */
  change(layout: Layout, partition: number, change: Change, replicas: number): Promise<ChangeOutcome>;
  /** Takes no more, and resolves once what was taken has its answer. */
  close(): Promise<void>;
}

/** Batches changes, and repeats what has no answer under the same request ids until the time is up (S2). */
export function createWriter(options: WriterOptions): Writer {
  const { backend, bus, clock, timeoutMs } = options;
  const batcher = createBatcher({ ...options, send: (batch, answered) => void deliver(batch, answered) });
  /** The store's clock by partition, as last heard: what is sent later is done later. */
  const storeTimes = new Map<number, number>();
  const unanswered = createUnanswered();
  let closed = false;

  async function deliver(batch: readonly PendingChange[], answered: () => void): Promise<void> {
    const [first] = batch;
    if (!first) return;
    const { layout, partition, replicas } = first;
    const isRepeated = first.repeatedSinceMs !== undefined;
    let left = batch;
    let unknown = false;
    const sinceMs = first.repeatedSinceMs ?? storeTimes.get(partition) ?? 0;

    async function attempt(count: number): Promise<void> {
      const changes = left.map(({ change }) => change);
      const repeatedSinceMs = isRepeated || count > 1 ? sinceMs : undefined;
      const result = await backend.mutate(partition, layout, changes, { replicas, repeatedSinceMs });
      storeTimes.set(partition, result.storeTimeMs);
      const durable = result.replicas >= replicas;
      left = left.filter((item, index) => {
        const outcome = result.outcomes[index];
        if (!outcome || (!durable && isWritten(outcome))) return true;
        if (outcome.outcome === "forgotten") item.reject(unknownOutcome(item));
        else item.resolve(repeatedSinceMs === undefined ? outcome : ownDeposit(item.change, outcome));
        return false;
      });
      if (left.length > 0) throw notReplicated(result.replicas, replicas);
    }

    // The mark comes before the write: sync latency covers the way to the store too.
    announce(layout, batch);
    try {
      await retrying(async (count) => {
        try {
          await attempt(count);
        } catch (error) {
          unknown ||= isParallaxError(error, "timeout");
          throw error;
        } finally {
          if (count === 1) answered();
        }
      }, options);
    } catch (error) {
      for (const item of left) {
        const explained = explain(error, item, unknown);
        if (isParallaxError(explained, "timeout")) unanswered.note(item.change.requestId, sinceMs);
        item.reject(explained);
      }
    }
  }

  function announce({ topic }: Layout, batch: readonly PendingChange[]): void {
    if (!bus || topic === undefined) return;
    const tags = batch.flatMap(({ change }) => eventsOf(change).map(({ tag }) => tag));
    if (tags.length > 0) bus.sent(topic, tags, clock.now());
  }

  function unknownOutcome({ change, layout }: PendingChange, cause?: unknown): ParallaxError<"timeout"> {
    const { id, requestId } = change;
    const message = `changing ${layout.collection} ${id} got no answer within ${timeoutMs} ms, or too late for the record to remember it; whether it took effect is unknown: read the record before repeating request ${requestId}`;
    return new ParallaxError("timeout", message, { cause, details: { id, requestId } });
  }

  function explain(error: unknown, item: PendingChange, unknown: boolean): unknown {
    const { id } = item.change;
    if (isParallaxError(error, "not_replicated")) {
      const message = `writing ${item.layout.collection} ${id} to enough replicas: ${error.message}`;
      return new ParallaxError("not_replicated", message, {
        cause: error,
        details: { ...error.details, id },
      });
    }
    return unknown && isPassing(error) ? unknownOutcome(item, error) : error;
  }

  return {
    change(layout, partition, change, replicas) {
      return new Promise((resolve, reject) => {
        if (closed) throw closedError(layout, change);
        const repeatedSinceMs = unanswered.since(change.requestId);
        const bytes = sizeOf(change);
        const weight = change.op === "delete" ? deleteWeight : 1;
        batcher.add({ layout, partition, replicas, change, bytes, weight, repeatedSinceMs, resolve, reject });
      });
    },
    close() {
      closed = true;
      return batcher.idle();
    },
  };
}

/** A delete looks for and takes away six things; upkeep sends hundreds of them, and no script may hold up others for long. */
const deleteWeight = 4;

/** How many requests without an answer are known; the oldest are forgotten. */
const unansweredLimit = 10_000;

/** Requests whose outcome stayed unknown. Whoever makes one again repeats it, also in a call of its own (S2). */
function createUnanswered() {
  const sinceById = new Map<string, number>();
  return {
    note(requestId: string, sinceMs: number): void {
      sinceById.set(requestId, sinceMs);
      const [oldest] = sinceById.keys();
      if (sinceById.size > unansweredLimit && oldest !== undefined) sinceById.delete(oldest);
    },
    since: (requestId: string): number | undefined => sinceById.get(requestId),
  };
}

function isWritten({ outcome }: ChangeOutcome): boolean {
  return outcome === "ok" || outcome === "deposited" || outcome === "occupied";
}

/** A deposit that is repeated finds its own value: that is its first result, not somebody else's. */
function ownDeposit(change: Change, outcome: ChangeOutcome): ChangeOutcome {
  const own = change.op === "deposit" && outcome.outcome === "occupied" && outcome.value === change.value;
  return own ? { outcome: "deposited" } : outcome;
}

/** About as many bytes as the change has on the wire. */
function sizeOf(change: Change): number {
  let bytes = 100 + change.id.length + eventsOf(change).reduce((sum, { json }) => sum + json.length, 0);
  if (change.op === "deposit") bytes += change.value.length;
  else if (change.op !== "delete")
    for (const [field, text] of change.set) bytes += field.length + text.length;
  if (change.op === "update")
    for (const [key, text] of change.deposits ?? []) bytes += key.length + text.length;
  return bytes;
}

function notReplicated(acknowledged: number, wanted: number): ParallaxError<"not_replicated"> {
  const message = `the primary has it, and ${acknowledged} of ${wanted} replicas acknowledged; check that they are linked, or ask for fewer`;
  return new ParallaxError("not_replicated", message, { details: { acknowledged, wanted } });
}

function closedError(layout: Layout, change: Change): ParallaxError<"store_closed"> {
  const message = `changing ${layout.collection} ${change.id}: the store is closed; change records before closing it`;
  return new ParallaxError("store_closed", message);
}
