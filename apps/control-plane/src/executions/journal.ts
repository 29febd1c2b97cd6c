import { type Clock, createBackoff, type Logger, type Random, throwIfAborted } from "@parallax/core";
import type { BusEvent } from "@parallax/event-bus";
import type { Collection, Patch } from "@parallax/state-store";
import type { StoreTime } from "../store-time.ts";
import { type ExecutionRecord, isFinal } from "./record.ts";

/** How a change of an execution ended: written, or this owner has no say any more (S3, S6). */
export type JournalOutcome =
  | { readonly outcome: "written"; readonly version: number; readonly outageMs: number }
  | { readonly outcome: "not-ours" };

export interface JournalOptions {
  readonly executions: Collection<ExecutionRecord>;
  readonly clock: Clock;
  readonly random: Random;
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  /** How long a finished execution is kept, in ms. */
  readonly retentionMs: number;
}

/** Writes the transitions of executions: one conditioned write each, repeated until its outcome is known. */
export interface Journal {
  /**
   * Writes what differs between `before` (of `version`) and `after`. While the store is away it goes on trying; how long
   * that took is the outcome's `outageMs`, for it must not count against the deadline (X8).
   * @throws ParallaxError `aborted`
   */
  write(change: JournalChange, signal: AbortSignal): Promise<JournalOutcome>;
}

export interface JournalChange {
  readonly id: string;
  readonly owner: string;
  readonly version: number;
  readonly before: ExecutionRecord;
  readonly after: ExecutionRecord;
}

export function createJournal(options: JournalOptions): Journal {
  const { executions, clock, random, storeTime, logger, retentionMs } = options;

  async function attempt({ id, owner, version, before, after }: JournalChange): Promise<JournalOutcome> {
    const event = eventOf(id, before, after);
    const result = await executions.update(id, difference(before, after), {
      version,
      where: { owner },
      ...(event ? { event } : {}),
      ...(isFinal(after.status) ? { expiresInMs: retentionMs } : {}),
    });
    if (result.outcome === "ok") {
      storeTime.observe(result.storeTimeMs);
      return { outcome: "written", version: result.version, outageMs: 0 };
    }
    if (result.outcome !== "missing") return { outcome: "not-ours" };
    return rewrite(id, after, event);
  }

  /** X6: a fail-over took the record back, but its owner lives and knows it. */
  async function rewrite(
    id: string,
    after: ExecutionRecord,
    event: BusEvent | undefined,
  ): Promise<JournalOutcome> {
    const result = await executions.create(id, after, event ? { event } : {});
    if (result.outcome !== "created") return { outcome: "not-ours" };
    logger.warn("wrote an execution anew that the store had lost", { execution: id, status: after.status });
    return { outcome: "written", version: result.version, outageMs: 0 };
  }

  return {
    async write(change, signal) {
      const backoff = createBackoff({ initialMs: 100, maxMs: 2000, random });
      const started = clock.mark();
      for (;;) {
        throwIfAborted(signal);
        try {
          const result = await attempt(change);
          if (result.outcome === "not-ours" || backoff.attempts === 0) return result;
          return { ...result, outageMs: clock.elapsedAtMost(started) };
        } catch (error) {
          logger.warn("could not write an execution; trying again", { execution: change.id, error });
          await clock.sleep(backoff.next(), signal);
        }
      }
    },
  };
}

/** The event of a change of status; other changes have none. */
export function eventOf(
  id: string,
  before: ExecutionRecord | undefined,
  after: ExecutionRecord,
): BusEvent | undefined {
  if (before?.status === after.status) return undefined;
  const { status, pattern, nodeId } = after;
  return {
    type: status === "pending" ? "execution-created" : `execution-${status}`,
    id,
    status,
    pattern,
    nodeId,
  };
}

/** The fields that changed. Records are changed by copying, so an unchanged field is the same value. */
function difference(before: ExecutionRecord, after: ExecutionRecord): Patch<ExecutionRecord> {
  const changed = Object.entries(after).filter(([field, value]) => Reflect.get(before, field) !== value);
  const unset = Object.keys(before).filter((field): field is keyof ExecutionRecord => !(field in after));
  return { set: Object.fromEntries(changed), unset };
}
