import { writtenOptionsSchema, writtenPatternDefinitionSchema } from "@parallax/protocol";
import { z } from "zod";

/** One attempt of a task: who was asked. Journaled before the task leaves (X3). */
const assignmentSchema = z.object({
  agentId: z.string(),
  /** The node that the agent was connected to when it was asked; where it is now, its own record says. */
  nodeId: z.string(),
  /** The agent said no, so it will not answer this attempt. */
  refused: z.literal(true).optional(),
});

export type Assignment = z.infer<typeof assignmentSchema>;

const taskErrorSchema = z.object({ code: z.string(), message: z.string() });

/** One piece of an execution, for one agent. Its result lies in the record's inbox, not here. */
export const taskSchema = z.object({
  /** `<execution id>:<index>`: the handler's idempotency key. */
  id: z.string(),
  status: z.enum(["waiting", "assigned", "completed", "failed", "cancelled"]),
  /** All attempts so far, the current one last. Attempt numbers are positions in this list, from 1. */
  assignments: z.array(assignmentSchema),
  /** Attempts that count against the pattern's `retries`: what our own failures cost does not (X8). */
  failures: z.number().int(),
  /** Store time before which no further attempt is made, epoch ms. */
  notBeforeMs: z.number().optional(),
  error: taskErrorSchema.optional(),
});

/**
 * An execution as stored. The first four fields are what an operator looks for; those that hold objects are JSON.
 * `owner` (node id, `#`, incarnation) is there exactly while the execution is open: its index is what recovery reads (X1).
 */
export const executionRecordSchema = z.object({
  status: z.enum(["pending", "running", "aggregating", "completed", "failed", "cancelled"]),
  pattern: z.string(),
  startedAt: z.string().optional(),
  nodeId: z.string(),
  owner: z.string().optional(),
  input: z.unknown().optional(),
  result: z.unknown().optional(),
  error: taskErrorSchema.optional(),
  tasks: z.array(taskSchema),
  createdAt: z.string(),
  finishedAt: z.string().optional(),
  /** The definition that it was accepted with, and runs with wherever it is adopted (X9). */
  definition: writtenPatternDefinitionSchema,
  /** Store time at which it is out of time, epoch ms; pushed back by what must not count (X8). */
  deadlineAtMs: z.number(),
  /** Since when nobody drives it for certain, store time, epoch ms: what has passed since then does not count (X8). */
  ownerlessSinceMs: z.number().optional(),
  /** The owner that was told to stop and found nobody to hand it to: that its process has ended is no crash (X7). */
  leftBy: z.string().optional(),
  /** Adoptions after a crash while it was running (X7). */
  adoptions: z.number().int(),
  /** Digest of the request, to tell a repeated one from another under the same idempotency key. */
  requestDigest: z.string(),
  /** What its caller decided for it, where that was anything: `/retry` decides the same. */
  options: writtenOptionsSchema.optional(),
  retryOf: z.string().optional(),
  /** W3C Trace Context of its submission, where that was traced: whoever drives it goes on with this trace. */
  traceparent: z.string().optional(),
  /** The content of the user's function that aggregates it: only who has it can (X9). */
  functionHash: z.string().optional(),
});

export type ExecutionRecord = z.infer<typeof executionRecordSchema>;
export type ExecutionStatus = ExecutionRecord["status"];
export type Task = z.infer<typeof taskSchema>;

const finalStatuses = ["completed", "failed", "cancelled"] as const;

/** The statuses in which an execution never changes again (S6). */
export type FinalStatus = (typeof finalStatuses)[number];

export const final: { readonly status: readonly FinalStatus[] } = { status: finalStatuses };

export function isFinal(status: ExecutionStatus): status is FinalStatus {
  return finalStatuses.some((final) => final === status);
}

/** The number of a task's current attempt, 0 before the first. */
export function attemptOf(task: Task): number {
  return task.assignments.length;
}

/** Who works on a task, or did last. */
export function currentAssignment(task: Task): Assignment | undefined {
  return task.assignments.at(-1);
}

/** The position of a task in its execution, from its id. */
export function taskIndex(taskId: string): number {
  return Number(taskId.slice(taskId.lastIndexOf(":") + 1));
}

/** The execution that a task belongs to, from its id. */
export function executionOf(taskId: string): string {
  return taskId.slice(0, taskId.lastIndexOf(":"));
}

/** Who owns an execution: one process of one node. */
export function ownerName(node: { readonly nodeId: string; readonly incarnation: string }): string {
  return `${node.nodeId}#${node.incarnation}`;
}

/** The incarnation in an owner's name. */
export function incarnationOf(owner: string): string {
  return owner.slice(owner.lastIndexOf("#") + 1);
}

/** X8: a record as whoever drives it from now on has it. That it is driven is written with the next change. */
export function drivenFrom(record: ExecutionRecord, nowMs: number): ExecutionRecord {
  const { ownerlessSinceMs, ...driven } = record;
  if (ownerlessSinceMs === undefined) return record;
  return { ...driven, deadlineAtMs: record.deadlineAtMs + Math.max(0, nowMs - ownerlessSinceMs) };
}
