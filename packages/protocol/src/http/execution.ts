import { z } from "zod";
import { agentIdSchema, executionIdSchema, taskIdSchema } from "../ids.ts";
import type { ObjectSchema } from "../object-schema.ts";
import { confidenceSchema, durationSchema, patternNameSchema, timestampSchema } from "../scalars.ts";
import { cursorSchema, type PageQuery, pageQuerySchema } from "./page.ts";

/** `pending → running → aggregating → completed | failed | cancelled`. The last three are final. */
export const executionStatuses = [
  "pending",
  "running",
  "aggregating",
  "completed",
  "failed",
  "cancelled",
] as const;

/** The state of an execution. */
export type ExecutionStatus = (typeof executionStatuses)[number];

/** Checks an {@link ExecutionStatus}. */
export const executionStatusSchema: z.ZodType<ExecutionStatus> = z
  .enum(executionStatuses)
  .meta({ id: "ExecutionStatus", description: "The last three are final and never change again." });

/** Whether an execution with `status` never changes again. */
export function isFinal(status: ExecutionStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** Why an execution or a task failed. */
export interface ExecutionError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Checks an {@link ExecutionError}. */
export const executionErrorSchema: ObjectSchema<ExecutionError> = z
  .object({
    code: z.string().meta({ description: "Stable, lower_snake_case.", examples: ["timeout"] }),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "ExecutionError" });

/** One part of an execution: what one agent was asked. */
export interface Task {
  readonly id: string;
  /**
   * `pending`: waits for an agent; `assigned`: sent to one; `running`: that agent accepted it; then it is `completed`,
   * `failed` or `cancelled`.
   */
  readonly status: "pending" | "assigned" | "running" | "completed" | "failed" | "cancelled";
  /** 0 until it was first assigned, then 1, 2, 3, … */
  readonly attempt: number;
  /** The agent of that attempt; once it is completed, the one whose result counted. */
  readonly agentId?: string | undefined;
  readonly result?: unknown;
  readonly confidence?: number | undefined;
  readonly error?: ExecutionError | undefined;
}

/** Checks a {@link Task}. */
export const taskSchema: ObjectSchema<Task> = z
  .object({
    id: taskIdSchema,
    status: z.enum(["pending", "assigned", "running", "completed", "failed", "cancelled"]),
    attempt: z.int().min(0),
    agentId: agentIdSchema.optional(),
    result: z.unknown().optional(),
    confidence: confidenceSchema.optional(),
    error: executionErrorSchema.optional(),
  })
  .meta({ id: "Task", description: "What one agent was asked." });

/** An execution of a pattern. Fields that have no value yet are absent. */
export interface Execution {
  readonly id: string;
  readonly status: ExecutionStatus;
  /** The pattern's name. */
  readonly pattern: string;
  readonly input: unknown;
  /** The aggregated result, once `completed`. */
  readonly result?: unknown;
  /** Once `failed`. */
  readonly error?: ExecutionError | undefined;
  /** The node that drives it, or drove it last. */
  readonly nodeId: string;
  /** How many times its tasks were sent to agents, re-sends included. */
  readonly attempts: number;
  readonly tasks: readonly Task[];
  readonly createdAt: string;
  /** From `running` on. */
  readonly startedAt?: string | undefined;
  readonly finishedAt?: string | undefined;
  /** The execution that this one runs again. */
  readonly retryOf?: string | undefined;
  /** The key of its record, for `redis-cli`; only where one execution is asked for, on Redis. */
  readonly redisKey?: string | undefined;
}

/** Checks an {@link Execution}. */
export const executionSchema: ObjectSchema<Execution> = z
  .object({
    id: executionIdSchema,
    status: executionStatusSchema,
    pattern: patternNameSchema,
    input: z.unknown(),
    result: z.unknown().optional().meta({ description: "The aggregated result, once completed." }),
    error: executionErrorSchema.optional(),
    nodeId: z.string().meta({ description: "The node that drives it, or drove it last." }),
    attempts: z.int().min(0).meta({ description: "How many times its tasks were sent, re-sends included." }),
    tasks: z.array(taskSchema),
    createdAt: timestampSchema,
    startedAt: timestampSchema.optional(),
    finishedAt: timestampSchema.optional(),
    retryOf: executionIdSchema.optional(),
    redisKey: z.string().optional().meta({ description: "The key of its record, where one is asked for." }),
  })
  .meta({
    id: "Execution",
    description: "An execution of a pattern. Fields without a value yet are absent.",
  });

/** The body of `POST /api/executions`. */
export interface SubmitExecution {
  readonly pattern: string;
  readonly input: unknown;
  readonly options: SubmitOptions;
}

/** What a caller may decide for one execution. */
export interface SubmitOptions {
  /** Replaces the pattern's own time limit. */
  readonly timeout?: string | number | undefined;
  /** Replaces the pattern's own number of retries of each task. */
  readonly retries?: number | undefined;
}

/** Checks a {@link SubmitOptions}. */
export const submitOptionsSchema: ObjectSchema<SubmitOptions> = z.strictObject({
  timeout: durationSchema.optional().meta({ description: "Replaces the pattern's time limit." }),
  retries: z.int().min(0).max(100).optional().meta({ description: "Replaces the pattern's retries." }),
});

/** Options that a node has taken before, of a newer version perhaps. */
export const writtenOptionsSchema: ObjectSchema<SubmitOptions> = z.object({
  timeout: durationSchema.optional(),
  retries: z.int().min(0).max(100).optional(),
});

/** Checks a {@link SubmitExecution}. */
export const submitExecutionSchema: ObjectSchema<SubmitExecution> = z
  .strictObject({
    pattern: patternNameSchema,
    input: z.unknown().default(null).meta({ description: "Given to every agent as it is. Default null." }),
    options: submitOptionsSchema.default({}),
  })
  .meta({ id: "SubmitExecution" });

/** The query of `POST /api/executions`. */
export interface SubmitQuery {
  /** How long the answer may wait for the result. Default: not at all. */
  readonly wait?: string | number | undefined;
}

/** Checks a {@link SubmitQuery}. */
export const submitQuerySchema: ObjectSchema<SubmitQuery> = z.strictObject({
  wait: durationSchema.optional().meta({
    description: "How long the answer may wait for the result, at most 5 minutes.",
    examples: ["30s"],
  }),
});

/** The query of `GET /api/executions`. */
export interface ListExecutionsQuery extends PageQuery {
  readonly status?: ExecutionStatus | undefined;
  /** The id of the node that drives them. */
  readonly node?: string | undefined;
  readonly pattern?: string | undefined;
}

/** Checks a {@link ListExecutionsQuery}. */
export const listExecutionsQuerySchema: ObjectSchema<ListExecutionsQuery> = z.strictObject({
  ...pageQuerySchema.shape,
  status: executionStatusSchema.optional(),
  node: z.string().min(1).max(256).optional(),
  pattern: patternNameSchema.optional(),
});

/** The newest first; of a final status, those that ended last. */
export interface ExecutionPage {
  readonly executions: readonly Execution[];
  readonly cursor?: string | undefined;
}

/** Checks an {@link ExecutionPage}. */
export const executionPageSchema: ObjectSchema<ExecutionPage> = z
  .object({ executions: z.array(executionSchema), cursor: cursorSchema().optional() })
  .meta({ id: "ExecutionPage" });
