import { type Clock, isParallaxError, type Logger, type Unsubscribe } from "@parallax/core";
import type { StoreTime } from "../store-time.ts";
import {
  answersOf,
  apply,
  type ExecutionEvent,
  type ExecutionState,
  excludedAgents,
  nextDueMs,
  settle,
  tasksToSeek,
} from "./advance.ts";
import { aggregate } from "./aggregation.ts";
import type { Broker, Courier, Delivery } from "./broker.ts";
import { createDeliveries } from "./deliveries.ts";
import type { Letter } from "./inbox.ts";
import type { Journal } from "./journal.ts";
import { attemptOf, currentAssignment, type ExecutionRecord, isFinal, type Task } from "./record.ts";
import { createSeeking } from "./seeking.ts";

export interface DriverOptions {
  readonly id: string;
  readonly record: ExecutionRecord;
  readonly version: number;
  /** What lies in its inbox. */
  readonly letters: readonly Letter[];
  /** Who drives it: must be the record's owner. */
  readonly owner: string;
  readonly journal: Journal;
  readonly broker: Broker;
  readonly courier: Courier;
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly logger: Logger;
  /** How long an agent may take to come back with its tasks, in ms. */
  readonly reconnectGraceMs: number;
  /** It is finished, or not ours any more. */
  readonly onEnded: (how: "finished" | "not-ours") => void;
}

/**
 * Drives one execution on the node that owns it. Events are taken one turn at a time; whatever a turn changed is written
 * in one step, and only then does anything leave the node: an assignment is journaled before its task is sent (X3).
 */
export interface Driver {
  readonly record: ExecutionRecord;
  push(event: ExecutionEvent): void;
  /** An agent says that it has the task. */
  accepted(taskId: string, attempt: number): void;
  /** X6: its record is gone, and is written anew from memory. */
  restore(): void;
  /** Gives it up without a word: another node owns it now. */
  drop(): void;
  /** Resolves once nothing of this driver runs any more. */
  readonly stopped: Promise<void>;
}

export function createDriver(options: DriverOptions): Driver {
  const { id, owner, journal, broker, courier, clock, storeTime, logger, onEnded } = options;
  const controller = new AbortController();
  const { signal } = controller;

  let state: ExecutionState = { record: options.record, results: new Map() };
  let version = options.version;
  let events: ExecutionEvent[] = [...options.letters];
  let turning: Promise<void> | undefined;
  let isLost = false;
  let cancelAlarm: Unsubscribe = () => {};
  const answered = new Set<string>();

  const seeking = createSeeking({
    broker,
    capabilities: options.record.definition.capabilities,
    excluded: (taskId) => excludedAgents(state.record, taskId),
    onGranted: (taskId, grant) => push({ kind: "granted", taskId, ...grant }),
  });
  const isAnswered = (taskId: string, attempt: number): boolean => answered.has(attemptKey(taskId, attempt));
  const onLost = (taskId: string, attempt: number): void =>
    push({ kind: "lost", taskId, attempt, refused: false });
  const graceMs = options.reconnectGraceMs;
  const deliveries = createDeliveries({ clock, courier, graceMs, isAnswered, onLost });

  function push(event: ExecutionEvent): void {
    if (signal.aborted) return;
    if (event.kind === "result" || event.kind === "failure")
      answered.add(attemptKey(event.taskId, event.attempt));
    events.push(event);
    wake();
  }

  function wake(): void {
    if (signal.aborted || turning) return;
    turning = turns().finally(() => {
      turning = undefined;
      if (events.length > 0 || isLost) wake();
    });
  }

  async function turns(): Promise<void> {
    try {
      // A microtask later, so that all that happens in one tick becomes one write.
      await Promise.resolve();
      let again = true;
      while (again && !signal.aborted) again = await turn();
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
    const next = settle(
      taken.reduce((before, event) => apply(before, event, now), state),
      now,
    );
    if ((next.record !== state.record || isLost) && !(await write(next))) return false;
    state = next;
    // Dropped while it was written: whoever owns it now acts on what was written.
    if (signal.aborted) return false;
    act();
    if (isFinal(state.record.status)) end("finished");
    else if (state.record.status === "aggregating") finishAggregation();
    return events.length > 0;
  }

  async function write(next: ExecutionState): Promise<boolean> {
    isLost = false;
    const letters = [...state.results.values()];
    const change = { id, owner, version, before: state.record, after: next.record, letters };
    const result = await journal.write(change, signal);
    switch (result.outcome) {
      case "not-ours":
        end("not-ours");
        return false;
      case "refused":
        refused(next.record, result);
        return false;
      case "written":
        break;
    }
    version = result.version;
    if (result.outageMs > 0) push({ kind: "extended", byMs: result.outageMs });
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

  function act(): void {
    const now = storeTime.now();
    const { record } = state;
    seeking.settle(
      (taskId) => events.some((event) => event.kind === "granted" && event.taskId === taskId),
      (taskId, { agentId }) => {
        const task = record.tasks.find((candidate) => candidate.id === taskId);
        return task?.status === "assigned" && currentAssignment(task)?.agentId === agentId;
      },
    );
    seeking.want(new Set(tasksToSeek(record, now).map((task) => task.id)));
    for (const task of record.tasks) deliveries.track(task.id, deliveryOf(record, task));
    cancelAlarm();
    cancelAlarm = clock.after(Math.max(0, nextDueMs(record, now) - now), wake);
  }

  function finishAggregation(): void {
    const { record } = state;
    try {
      push({ kind: "aggregated", result: aggregate(answersOf(state), record.definition.aggregate) });
    } catch (error) {
      if (!isParallaxError(error)) throw error;
      push({ kind: "aggregation-failed", error: { code: error.code, message: error.message } });
    }
  }

  function end(how: "finished" | "not-ours"): void {
    if (signal.aborted) return;
    controller.abort();
    cancelAlarm();
    seeking.stop();
    deliveries.stop();
    onEnded(how);
  }

  // What an adopter finds in the inbox of an execution that was aggregating is what it had used.
  if (state.record.status === "aggregating") state = withResults(state, options.letters);
  wake();

  return {
    get record() {
      return state.record;
    },
    push,
    accepted: (taskId, attempt) => deliveries.accepted(taskId, attempt),
    restore() {
      isLost = true;
      wake();
    },
    drop: () => end("not-ours"),
    get stopped() {
      return turning ?? Promise.resolve();
    },
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

function attemptKey(taskId: string, attempt: number): string {
  return `${taskId} ${attempt}`;
}

/** What has to reach an agent for this task, if it is assigned to one. */
function deliveryOf(record: ExecutionRecord, task: Task): Delivery | undefined {
  const assignment = task.status === "assigned" ? currentAssignment(task) : undefined;
  if (!assignment) return undefined;
  const { pattern, definition, input, deadlineAtMs } = record;
  const { agentId, nodeId } = assignment;
  const { capabilities } = definition;
  return {
    taskId: task.id,
    attempt: attemptOf(task),
    agentId,
    nodeId,
    pattern,
    capabilities,
    input,
    deadlineAtMs,
    resend: false,
  };
}
