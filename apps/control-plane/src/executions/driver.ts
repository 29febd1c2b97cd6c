import { type Clock, isParallaxError, type Logger, ParallaxError } from "@parallax/core";
import type { CreateOutcome, DepositOutcome } from "@parallax/state-store";
import type { StoreTime } from "../store-time.ts";
import type { ExecutionEvent, ExecutionState } from "./advance.ts";
import type { Aggregator } from "./aggregator.ts";
import type { Broker, Courier } from "./broker.ts";
import type { Enclosure } from "./deposit.ts";
import { createErrands } from "./errands.ts";
import type { Letter } from "./inbox.ts";
import type { Journal, JournalChange } from "./journal.ts";
import { drivenFrom, type ExecutionRecord, type ExecutionStatus, isFinal, taskIndex } from "./record.ts";
import { createRecordWriter } from "./record-writer.ts";
import { createSoon } from "./soon.ts";
import { takeTurn } from "./turn.ts";

/** What all drivers of a node share. */
export interface DriverParts {
  readonly journal: Journal;
  readonly aggregator: Aggregator;
  readonly broker: Broker;
  readonly courier: Courier;
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  /** How long an agent may take to come back with its tasks, in ms. */
  readonly reconnectGraceMs: number;
}

/** Where one driver begins. */
export interface DriverStart {
  readonly id: string;
  readonly record: ExecutionRecord;
  /** 0: the store has no record yet, its first write creates it. */
  readonly version: number;
  /** What lies in its inbox. */
  readonly letters: readonly Letter[];
  /** Who drives it: must be the record's owner. */
  readonly owner: string;
  /** It is finished, or not ours any more, or was thought to be another than it is: then it has to be read anew. */
  readonly onEnded: (how: DriverEnd) => void;
}

/**
 * How long a letter waits at most for others, in ms: they often come in that time, and are then one write with it. Its agent is
 * free meanwhile, and only hears later that it has arrived.
 */
const depositAfterMs = 20;

/** One for all: an error of its own would cost each execution more than its end. */
const over = new ParallaxError("aborted", "driving an execution: it is not driven here any more");

/** Why a driver drives no more. */
export type DriverEnd = "finished" | "not-ours" | "stale";

/**
 * Drives one execution on the node that owns it. Events are taken one turn at a time; whatever a turn changed is written
 * in one step, and only then does anything leave the node: an assignment is journaled before its task is sent (X3).
 */
export interface Driver {
  // No getters: an object literal that has them costs ten times as much to make, and every execution makes some.
  record(): ExecutionRecord;
  /** The version of what is written; 0 before its creation. */
  version(): number;
  /** What counts of what lies in its inbox, as far as it knows. */
  letters(): readonly Letter[];
  /** The write that finished it. */
  finalChange(): JournalChange | undefined;
  /** What came of the creation of a new record. */
  readonly created: Promise<CreateOutcome<ExecutionRecord>>;
  push(event: ExecutionEvent): void;
  /**
   * Takes a letter and puts it into the inbox, in one step with what follows from it. Only for a task whose agent is the only
   * one that was ever asked: nobody else's letter can lie there already.
   */
  take(letter: Letter, enclosure: Enclosure): Promise<DepositOutcome>;
  /** Whether {@link Driver.take} may take this letter. */
  mayTake(letter: Letter): boolean;
  /** An agent says that it has the task. */
  accepted(taskId: string, attempt: number): void;
  /** X6: its record is gone or older than what was written, and is written anew from memory. */
  restore(): void;
  /** Gives it up without a word: another node owns it now. */
  drop(): void;
  /** Resolves once nothing of this driver runs any more. */
  stopped(): Promise<void>;
}

/** Drives an execution, from its creation or from wherever it is. */
export function createDriver(parts: DriverParts, start: DriverStart): Driver {
  const { storeTime, logger } = parts;
  const { id, letters, onEnded } = start;
  const controller = new AbortController();
  let isOver = false;
  let state: ExecutionState = { record: drivenFrom(start.record, storeTime.now()), results: new Map() };
  let events: ExecutionEvent[] = [...letters];
  let turning: Promise<void> | undefined;
  let isAggregating = false;
  const writer = createRecordWriter(parts, start);
  const depositSoon = createSoon(parts.clock, depositAfterMs, writer.depositAll);

  const isNew = start.version === 0;
  const errands = createErrands(parts, { isNew, record: () => state.record, push, onAlarm: wake });

  function push(event: ExecutionEvent): void {
    if (isOver) return;
    errands.note(event);
    events.push(event);
    wake();
  }

  function wake(): void {
    if (isOver || turning) return;
    turning = turns().finally(() => {
      turning = undefined;
      if (events.length > 0 || writer.isLost()) wake();
    });
  }

  async function turns(): Promise<void> {
    try {
      // A microtask later, so that all that happens in one tick becomes one write.
      await Promise.resolve();
      let again = true;
      while (again && !isOver) again = await turn();
    } catch (error) {
      if (isParallaxError(error, "aborted")) return;
      logger.error("an execution's driver failed; it is picked up again at the next look at the index", {
        execution: id,
        error,
      });
      end("not-ours");
    }
  }

  /** One turn: take what happened, write what changed, then act. True if there is more to do at once. */
  async function turn(): Promise<boolean> {
    const now = storeTime.now();
    const taken = events;
    events = [];
    const { state: next, passed } = takeTurn(state, taken, now);
    if (writer.mustWrite(next)) {
      // The write brings all letters with it. One that went by itself now would come after it, and find a final record.
      depositSoon.cancel();
      if (!(await write(next, passed))) return false;
    } else if (writer.hasLetters()) depositSoon.ask();
    state = next;
    // Dropped while it was written: whoever owns it now acts on what was written.
    if (isOver) return false;
    errands.run(events);
    if (isFinal(state.record.status)) end("finished");
    else if (state.record.status === "aggregating") aggregateApart();
    return events.length > 0;
  }

  async function write(next: ExecutionState, passed: readonly ExecutionStatus[]): Promise<boolean> {
    const countedMs = storeTime.outageMs();
    const result = await writer.write(next, passed, controller.signal);
    if (result.outcome === "not-ours" || result.outcome === "stale") end(result.outcome);
    if (result.outcome === "refused") refused(next.record, result);
    if (result.outcome !== "written") return false;
    // X8: unless it was noticed otherwise, and all deadlines have got it already.
    const byMs = result.outageMs - (storeTime.outageMs() - countedMs);
    if (byMs > 0) push({ kind: "extended", byMs });
    return true;
  }

  /** What is too large to be kept ends the execution, unless it is the end that is too large. */
  function refused(
    { status }: ExecutionRecord,
    error: { readonly code: string; readonly message: string },
  ): void {
    logger.error("an execution could not be written", { execution: id, status, ...error });
    const { code, message } = error;
    if (status === "failed") end("not-ours");
    else push({ kind: "aggregation-failed", error: { code, message } });
  }

  /** X7: what a user's function makes of the answers. Elsewhere than in a turn, for it may take its time. */
  function aggregateApart(): void {
    if (isAggregating) return;
    isAggregating = true;
    void parts.aggregator.run(state).then((event) => {
      isAggregating = false;
      if (event) push(event);
    });
  }

  function end(how: DriverEnd): void {
    if (isOver) return;
    isOver = true;
    // Once it has finished nobody waits any more, and an abort without listeners costs as much as a turn.
    if (how !== "finished") controller.abort(over);
    depositSoon.cancel();
    errands.stop();
    writer.giveUp();
    onEnded(how);
  }

  // What an adopter finds in the inbox of an execution that was aggregating is what it had used.
  if (state.record.status === "aggregating") state = withResults(state, letters);
  // The agents that are free take part in the first write.
  if (isNew) errands.seek();
  wake();

  return {
    record: () => state.record,
    version: writer.version,
    letters: () => [...state.results.values()],
    finalChange: writer.finalChange,
    created: writer.created,
    push,
    take(letter, enclosure) {
      if (isOver) return enclosure.put();
      const taken = writer.enclose(enclosure);
      push(letter);
      return taken;
    },
    mayTake(letter) {
      if (isOver || writer.version() === 0 || letter.kind === "cancel") return false;
      return state.record.tasks[taskIndex(letter.taskId)]?.assignments.length === 1;
    },
    accepted: errands.accepted,
    restore() {
      if (writer.markLost()) wake();
    },
    drop: () => end("not-ours"),
    stopped: () => turning ?? Promise.resolve(),
  };
}

function withResults(state: ExecutionState, letters: readonly Letter[]): ExecutionState {
  const used = new Set(
    state.record.tasks.filter((task) => task.status === "completed").map((task) => task.id),
  );
  const results = letters.filter((letter) => letter.kind === "result" && used.has(letter.taskId));
  return {
    ...state,
    results: new Map(
      results.flatMap((letter) => (letter.kind === "result" ? [[letter.taskId, letter]] : [])),
    ),
  };
}
