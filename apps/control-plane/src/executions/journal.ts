import {
  type Backoff,
  type Clock,
  createBackoff,
  isParallaxError,
  type Logger,
  type Random,
  randomId,
  type TimeMark,
  throwIfAborted,
} from "@parallax/core";
import type { BusEvent } from "@parallax/event-bus";
import type { Collection, CreateOutcome, Patch } from "@parallax/state-store";
import type { StoreTime } from "../store-time.ts";
import { type Letter, letterKey } from "./inbox.ts";
import { type ExecutionRecord, type ExecutionStatus, isFinal } from "./record.ts";

/** How a change of an execution ended. */
export type JournalOutcome =
  | { readonly outcome: "written"; readonly version: number; readonly outageMs: number }
  /** This owner has no say any more (S3, S6). */
  | { readonly outcome: "not-ours" }
  /** The store has another state of this version than was thought, or another letter than one that was counted (X4). */
  | { readonly outcome: "stale" }
  /** No store will ever take it: it is too large. */
  | { readonly outcome: "refused"; readonly code: string; readonly message: string };

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
  /** Writes a new execution, with an event for each status that it has already passed. One attempt, as its submitter waits. */
  create(
    id: string,
    record: ExecutionRecord,
    passed: readonly ExecutionStatus[],
  ): Promise<CreateOutcome<ExecutionRecord>>;
}

export interface JournalChange {
  readonly id: string;
  readonly owner: string;
  readonly version: number;
  readonly before: ExecutionRecord;
  readonly after: ExecutionRecord;
  /** Each status on the way to `after`, its own included. Default: its own, if it is another one. */
  readonly passed?: readonly ExecutionStatus[];
  /** Letters that the write counts, and puts into the inbox itself (X5): nobody finds the one without the other. */
  readonly enclosed?: readonly { readonly key: string; readonly text: string }[];
  /** Put letters into the inbox before the write, each as often as it takes: they repeat without harm. */
  readonly deposits?: readonly (() => Promise<unknown>)[];
  /** What its inbox holds, as far as the owner knows: it is put back with a record that was lost (X6). */
  readonly letters: readonly Letter[];
}

export function createJournal(options: JournalOptions): Journal {
  const { executions, clock, random, storeTime, logger, retentionMs } = options;

  async function attempt(change: JournalChange, requestId: string): Promise<JournalOutcome> {
    const { id, owner, version, before, after } = change;
    const { enclosed = [], deposits = [] } = change;
    // X5: what the write counts lies in the inbox before, or an adopter would miss it. A final record takes no letters either.
    if (deposits.length > 0) await Promise.all(deposits.map((deposit) => deposit()));
    const { passed = before.status === after.status ? [] : [after.status] } = change;
    const result = await executions.update(id, difference(before, after), {
      version,
      where: { owner },
      requestId,
      event: passed.map((status) => eventOf(id, after, status)),
      ...(isFinal(after.status) ? { expiresInMs: retentionMs } : {}),
      ...(enclosed.length > 0
        ? { deposits: Object.fromEntries(enclosed.map(({ key, text }) => [key, text])) }
        : {}),
    });
    switch (result.outcome) {
      case "ok":
        storeTime.observe(result.storeTimeMs);
        return { outcome: "written", version: result.version, outageMs: 0 };
      case "missing":
        return restore(change, undefined, requestId);
      case "conflict":
        // Versions only rise: a lower one than was acknowledged is an earlier state that came back.
        if (result.version < version) return restore(change, result.version, requestId);
        return { outcome: result.version === version ? "stale" : "not-ours" };
      default:
        return { outcome: "not-ours" };
    }
  }

  /** X6: a fail-over took the record back, wholly or in part, but its owner lives and knows it. */
  async function restore(
    change: JournalChange,
    foundVersion: number | undefined,
    requestId: string,
  ): Promise<JournalOutcome> {
    const { id, owner, before, letters } = change;
    const version =
      foundVersion === undefined ? await createAnew(id, before) : await bringUp(change, foundVersion);
    if (version === undefined) return { outcome: "not-ours" };
    logger.warn("wrote an execution anew that the store had lost", { execution: id, status: before.status });
    for (const letter of letters) await executions.deposit(id, letterKey(letter), JSON.stringify(letter));
    return attempt({ ...change, version, owner }, requestId);
  }

  async function createAnew(id: string, before: ExecutionRecord): Promise<number | undefined> {
    const result = await executions.create(id, before);
    return result.outcome === "created" ? result.version : undefined;
  }

  async function bringUp({ id, owner, before }: JournalChange, version: number): Promise<number | undefined> {
    const stored = await executions.get(id);
    if (!stored) return createAnew(id, before);
    // It was removed, and its id was given to another one: of the same idempotency key.
    if (stored.value.createdAt !== before.createdAt) return undefined;
    const result = await executions.update(id, difference(stored.value, before), {
      version,
      where: { owner },
    });
    return result.outcome === "ok" ? result.version : undefined;
  }

  return {
    async create(id, record, passed) {
      const event = passed.map((status) => eventOf(id, record, status));
      const result = await executions.create(id, record, { event });
      if (result.outcome === "created") storeTime.observe(result.storeTimeMs);
      return result;
    },
    async write(change, signal) {
      // S2: one id for all attempts, so that one whose answer was lost is recognized.
      const requestId = randomId("", random);
      const startedMs = clock.now();
      let failed: { readonly atMs: number; readonly mark: TimeMark; readonly backoff: Backoff } | undefined;
      for (;;) {
        throwIfAborted(signal);
        try {
          const result = await attempt(change, requestId);
          if (result.outcome !== "written" || !failed) return result;
          return { ...result, outageMs: failed.atMs - startedMs + clock.elapsedAtMost(failed.mark) };
        } catch (error) {
          if (isParallaxError(error, "too_large"))
            return { outcome: "refused", code: error.code, message: error.message };
          failed ??= {
            atMs: clock.now(),
            mark: clock.mark(),
            backoff: createBackoff({ initialMs: 100, maxMs: 2000, random }),
          };
          logger.warn("could not write an execution; trying again", { execution: change.id, error });
          await clock.sleep(failed.backoff.next(), signal);
        }
      }
    },
  };
}

/** The event of an execution that has come to a status: by default the one that it has. */
export function eventOf(
  id: string,
  record: Pick<ExecutionRecord, "status" | "pattern" | "nodeId">,
  status: ExecutionStatus = record.status,
): BusEvent {
  return {
    type: status === "pending" ? "execution-created" : `execution-${status}`,
    id,
    status,
    pattern: record.pattern,
    nodeId: record.nodeId,
  };
}

/** What makes one record of the other: the fields that changed. Records are changed by copying, so an unchanged field is the same value. */
export function difference(before: ExecutionRecord, after: ExecutionRecord): Patch<ExecutionRecord> {
  const changed = Object.entries(after).filter(([field, value]) => Reflect.get(before, field) !== value);
  const unset = Object.keys(before).filter((field): field is keyof ExecutionRecord => !(field in after));
  return { set: Object.fromEntries(changed), unset };
}
