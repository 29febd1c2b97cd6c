import { type Answer, isDecided, longestAggregationMs, neededAnswers } from "./aggregation.ts";
import type { Letter, ResultLetter } from "./inbox.ts";
import {
  type Assignment,
  attemptOf,
  currentAssignment,
  type ExecutionRecord,
  isFinal,
  type Task,
} from "./record.ts";

/** Something that happened to an execution. Letters come from its inbox, the rest from its owner. */
export type ExecutionEvent =
  | Letter
  /** An agent is held for a task. */
  | { readonly kind: "granted"; readonly taskId: string; readonly agentId: string; readonly nodeId: string }
  /** An attempt came to nothing and doesn't count against `retries`: a lost connection, a dead node (X8), or a refusal. */
  | { readonly kind: "lost"; readonly taskId: string; readonly attempt: number; readonly refused: boolean }
  /** The aggregation of `aggregating` has ended. */
  | { readonly kind: "aggregated"; readonly result: unknown }
  | {
      readonly kind: "aggregation-failed";
      readonly error: { readonly code: string; readonly message: string };
    }
  /** The execution may take this much longer (X8). */
  | { readonly kind: "extended"; readonly byMs: number };

/** An execution in its owner's memory: the record, and the results that lie in its inbox. */
export interface ExecutionState {
  readonly record: ExecutionRecord;
  /** By task id: the first result of each task (X4). */
  readonly results: ReadonlyMap<string, ResultLetter>;
}

/** How the waits between attempts of a failing task grow: 100 ms, 200 ms, … up to 10 s. */
const retryDelayMs = (failures: number): number => Math.min(10_000, 100 * 2 ** (failures - 1));

/**
 * What an execution becomes when `event` happens at store time `nowMs`. Pure; the same event twice is the same as once,
 * and nothing changes a final execution.
 */
export function apply(state: ExecutionState, event: ExecutionEvent, nowMs: number): ExecutionState {
  if (isFinal(state.record.status)) return state;
  switch (event.kind) {
    case "granted":
      return withTask(state, event.taskId, (task) =>
        task.status === "waiting"
          ? {
              ...task,
              status: "assigned",
              assignments: [...task.assignments, { agentId: event.agentId, nodeId: event.nodeId }],
            }
          : task,
      );
    case "lost":
      return withTask(state, event.taskId, (task) =>
        isCurrent(task, event.attempt) ? afterLoss(task, event.refused, nowMs) : task,
      );
    case "failure":
      return withTask(state, event.taskId, (task) =>
        isCurrent(task, event.attempt) ? afterFailure(task, event, state.record, nowMs) : task,
      );
    case "result":
      return applyResult(state, event);
    case "cancel":
      return finish(state, nowMs, {
        status: "cancelled",
        error: { code: "cancelled", message: event.reason },
      });
    case "aggregated":
      return finish(state, nowMs, { status: "completed", result: event.result });
    case "aggregation-failed":
      return finish(state, nowMs, { status: "failed", error: event.error });
    case "extended":
      return { ...state, record: { ...state.record, deadlineAtMs: state.record.deadlineAtMs + event.byMs } };
  }
}

/** Makes the transition that follows from the tasks and the time, if one does. */
export function settle(state: ExecutionState, nowMs: number): ExecutionState {
  const { record } = state;
  if (isFinal(record.status)) return state;
  const done = count(record, "completed");
  const { agents, aggregate } = record.definition;
  const open = count(record, "waiting") + count(record, "assigned");
  // What was asked for is enough in the end; a quorum that needs more waits for more as long as it can.
  const enough = done >= agents.min;
  const satisfied = done >= neededAnswers(record.definition);
  if (nowMs >= record.deadlineAtMs && !(enough && record.status === "running")) {
    return finish(state, nowMs, { status: "failed", error: timeoutError(record) });
  }
  if (record.status === "aggregating") return state;
  if (done + open < agents.min) {
    return finish(state, nowMs, { status: "failed", error: tooFewResults(record, done) });
  }
  const decided = isDecided(answersOf(state), aggregate, open);
  const over = nowMs >= record.deadlineAtMs || open === 0;
  if (decided || (enough && over) || (satisfied && !record.tasks.some(isUnderWay))) {
    const tasks = record.tasks.map(closeTask);
    // A function has its time, also where the deadline was what ended the wait for more answers.
    const deadlineAtMs = Math.max(record.deadlineAtMs, nowMs + longestAggregationMs(aggregate));
    return { ...state, record: { ...record, status: "aggregating", tasks, deadlineAtMs } };
  }
  if (record.status === "pending" && record.tasks.some((task) => task.status !== "waiting")) {
    return { ...state, record: { ...record, status: "running", startedAt: new Date(nowMs).toISOString() } };
  }
  return state;
}

/** Whether a task is worth waiting for once there are enough results: an agent has it, or had it and may again. */
function isUnderWay(task: Task): boolean {
  return task.status === "assigned" || (task.status === "waiting" && task.assignments.length > 0);
}

function count(record: ExecutionRecord, status: Task["status"]): number {
  return record.tasks.filter((task) => task.status === status).length;
}

/** The answers so far, in the order of the tasks. */
export function answersOf(state: ExecutionState): Answer[] {
  return state.record.tasks.flatMap((task) => {
    const letter = state.results.get(task.id);
    return letter
      ? [{ agentName: letter.agentName, value: letter.result, confidence: letter.confidence }]
      : [];
  });
}

/** The tasks that want an agent at `nowMs`. */
export function tasksToSeek(record: ExecutionRecord, nowMs: number): readonly Task[] {
  if (record.status !== "pending" && record.status !== "running") return [];
  return record.tasks.filter((task) => task.status === "waiting" && (task.notBeforeMs ?? 0) <= nowMs);
}

/** The store time at which something is due though nothing happens: a retry or the deadline. */
export function nextDueMs(record: ExecutionRecord, nowMs: number): number {
  const retries = record.tasks
    .filter((task) => task.status === "waiting" && (task.notBeforeMs ?? 0) > nowMs)
    .map((task) => task.notBeforeMs ?? 0);
  return Math.min(record.deadlineAtMs, ...retries);
}

/**
 * The agents that a task must not be given to: whoever was asked for another task of this execution and may yet answer it,
 * so that no agent counts twice (X3). The task's own former agents may be asked again.
 */
export function excludedAgents(record: ExecutionRecord, taskId: string): ReadonlySet<string> {
  const others = record.tasks.filter((task) => task.id !== taskId);
  const asked = others.flatMap((task) => task.assignments.filter(({ refused }) => !refused));
  return new Set(asked.map(({ agentId }) => agentId));
}

function applyResult(state: ExecutionState, letter: ResultLetter): ExecutionState {
  if (state.results.has(letter.taskId)) return state;
  const task = state.record.tasks.find(({ id }) => id === letter.taskId);
  // Only who was asked may answer, and what was used by `aggregating` is settled.
  const asked = task?.assignments[letter.attempt - 1]?.agentId === letter.agentId;
  if (!task || !asked || state.record.status === "aggregating") return state;
  const next = withTask(state, letter.taskId, ({ error: _error, notBeforeMs: _notBeforeMs, ...rest }) => ({
    ...rest,
    status: "completed",
  }));
  return { ...next, results: new Map(state.results).set(letter.taskId, letter) };
}

function afterFailure(
  task: Task,
  letter: Extract<Letter, { kind: "failure" }>,
  record: ExecutionRecord,
  nowMs: number,
): Task {
  const failures = task.failures + 1;
  const failed = { ...task, failures, error: letter.error };
  if (!letter.retryable || failures > record.definition.retries) return { ...failed, status: "failed" };
  return { ...failed, status: "waiting", notBeforeMs: nowMs + retryDelayMs(failures) };
}

/** A refusal is final for its attempt, so its agent is free for another task; the next attempt waits a moment. */
function afterLoss(task: Task, refused: boolean, nowMs: number): Task {
  const current = currentAssignment(task);
  if (!refused || !current) return { ...task, status: "waiting" };
  const assignments: Assignment[] = [...task.assignments.slice(0, -1), { ...current, refused: true }];
  return { ...task, status: "waiting", assignments, notBeforeMs: nowMs + retryDelayMs(1) };
}

function isCurrent(task: Task, attempt: number): boolean {
  return task.status === "assigned" && attemptOf(task) === attempt;
}

function withTask(state: ExecutionState, taskId: string, change: (task: Task) => Task): ExecutionState {
  const before = state.record.tasks.find(({ id }) => id === taskId);
  if (!before) return state;
  const after = change(before);
  if (after === before) return state;
  const tasks = state.record.tasks.map((task) => (task === before ? after : task));
  return { ...state, record: { ...state.record, tasks } };
}

type Ending = Pick<ExecutionRecord, "status" | "result" | "error">;

function finish(state: ExecutionState, nowMs: number, ending: Ending): ExecutionState {
  const { owner: _owner, ownerlessSinceMs: _since, ...rest } = state.record;
  const finishedAt = new Date(nowMs).toISOString();
  return { ...state, record: { ...rest, ...ending, tasks: rest.tasks.map(closeTask), finishedAt } };
}

/** A task that is still open when its execution has all that it needs. */
function closeTask(task: Task): Task {
  return task.status === "waiting" || task.status === "assigned" ? { ...task, status: "cancelled" } : task;
}

function timeoutError(record: ExecutionRecord): { code: string; message: string } {
  const started = record.tasks.some((task) => task.assignments.length > 0);
  const wanted = record.definition.capabilities.join(", ");
  return started
    ? {
        code: "timeout",
        message: "not every agent answered in time; raise the pattern's timeout or look at its agents",
      }
    : {
        code: "no_agents",
        message: `no agent with the capabilities ${wanted} was free in time; connect more agents`,
      };
}

function tooFewResults(record: ExecutionRecord, done: number): { code: string; message: string } {
  const last = record.tasks.findLast((task) => task.error !== undefined)?.error;
  const reason = last ? `; the last failure was ${last.code}: ${last.message}` : "";
  return {
    code: "too_few_results",
    message: `only ${done} of ${record.definition.agents.min} needed results came in, and no retries are left${reason}`,
  };
}
