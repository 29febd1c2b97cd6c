import type { Logger } from "@parallax/core";

/** Work for a handler. */
export interface Task {
  /** The idempotency key: a task may run more than once, here or elsewhere, and keeps its id. */
  readonly id: string;
  readonly executionId: string;
  /** 1, 2, 3, … */
  readonly attempt: number;
  /** The capability whose handler was chosen. */
  readonly capability: string;
  /** Every capability that the pattern asks for. */
  readonly capabilities: readonly string[];
  /** The pattern's name. */
  readonly pattern: string;
  /** As it was submitted; check it before you use it. */
  readonly input: unknown;
  /** Milliseconds that remained until the execution's deadline when the task arrived. An outage of the cluster moves it. */
  readonly deadlineMs: number;
  /** W3C Trace Context, where the cluster traces: for the `traceparent` header of what the handler calls. */
  readonly traceparent?: string | undefined;
}

/** What a handler gets besides its task. */
export interface TaskContext {
  /** Aborts when the task is cancelled, and when the agent stops before it is done. */
  readonly signal: AbortSignal;
  /** Shows how far the task is, `value` from 0 to 1. At most one report a second is sent, the latest. */
  progress(value: number, message?: string): void;
  /** A logger whose lines carry the task's id. */
  readonly log: Logger;
}

/** What a handler answers. */
export interface TaskAnswer {
  /** JSON-compatible. */
  readonly result: unknown;
  /** How sure the agent is, from 0 to 1. */
  readonly confidence?: number | undefined;
}

/**
 * Works on tasks of one capability. It may run more than once for one task: `task.id` is the idempotency key.
 *
 * What it throws becomes the task's failure, which the cluster may retry. A `ParallaxError` gives the failure its code, and
 * with `details: { retryable: false }` no further attempt is made.
 */
export type TaskHandler = (task: Task, context: TaskContext) => TaskAnswer | Promise<TaskAnswer>;
