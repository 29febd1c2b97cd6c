import { isParallaxError } from "@parallax/core";
import { answersOf, apply, type ExecutionEvent, type ExecutionState, settle } from "./advance.ts";
import { aggregate } from "./aggregation.ts";
import { type ExecutionRecord, type ExecutionStatus, isFinal, type Task } from "./record.ts";

/** What a turn leads to. */
export interface Turn {
  readonly state: ExecutionState;
  /** Each status that it came to, the last one included: each is an event of the one write. */
  readonly passed: readonly ExecutionStatus[];
}

/**
 * Takes what happened since the last turn, and goes on until nothing more follows by itself, so that adjacent transitions
 * are one write. Pure. What a function of the user aggregates is left in `aggregating`.
 */
export function takeTurn(before: ExecutionState, events: readonly ExecutionEvent[], nowMs: number): Turn {
  const passed: ExecutionStatus[] = [];
  let state = before;

  function go(next: ExecutionState): boolean {
    const hasMoved = next.record.status !== state.record.status;
    state = next;
    if (hasMoved) passed.push(next.record.status);
    return hasMoved;
  }

  for (const event of events) go(apply(state, event, nowMs));
  if (state.record.status === "aggregating") go(conclude(state, nowMs));
  while (!isFinal(state.record.status) && go(settle(state, nowMs))) {
    if (state.record.status === "aggregating") go(conclude(state, nowMs));
  }
  return { state, passed };
}

/** Aggregates at once what can be: all but functions of users. */
function conclude(state: ExecutionState, nowMs: number): ExecutionState {
  const { aggregate: aggregation } = state.record.definition;
  if (aggregation.strategy === "function") return state;
  try {
    const result = aggregate(answersOf(state), aggregation);
    return apply(state, { kind: "aggregated", result }, nowMs);
  } catch (error) {
    if (!isParallaxError(error)) throw error;
    const { code, message } = error;
    return apply(state, { kind: "aggregation-failed", error: { code, message } }, nowMs);
  }
}

/**
 * Whether something of this change is nowhere but in it. That a task has its result is told by the result, which lies in the
 * inbox: who loads the record reads both.
 */
export function mustBeWritten(written: ExecutionRecord, next: ExecutionRecord): boolean {
  if (written === next) return false;
  // As long as it is not written that somebody drives it, none of its time counts.
  const passedOver = written.ownerlessSinceMs === undefined ? apart : apartAndTime;
  const hasChanged = (field: string): boolean =>
    !passedOver.includes(field) && Reflect.get(written, field) !== Reflect.get(next, field);
  return (
    Object.keys(written).some(hasChanged) ||
    Object.keys(next).some(hasChanged) ||
    next.tasks.some((task, index) => !isToldByInbox(written.tasks[index], task))
  );
}

/** What is compared by itself, and what need not be written by itself either. */
const apart = ["tasks"];
const apartAndTime = [...apart, "ownerlessSinceMs", "deadlineAtMs"];

function isToldByInbox(written: Task | undefined, next: Task): boolean {
  return (
    written === next ||
    (next.status === "completed" &&
      written?.assignments === next.assignments &&
      written.failures === next.failures)
  );
}
