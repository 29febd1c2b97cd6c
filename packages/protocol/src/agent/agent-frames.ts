import { z } from "zod";
import { agentIdSchema, executionIdSchema, taskIdSchema } from "../ids.ts";
import type { ObjectSchema } from "../object-schema.ts";
import { capabilitiesSchema, confidenceSchema, ordinalSchema } from "../scalars.ts";
import { agentLimits } from "./transport.ts";

/** A task that an agent works on. */
export interface HeldTask {
  readonly taskId: string;
  readonly executionId: string;
  readonly attempt: number;
}

/** The first frame of a connection: who the agent is and, if it was here before, what it brings along. */
export interface HelloFrame {
  readonly type: "hello";
  /** For people, without control characters; need not be unique. */
  readonly name: string;
  readonly capabilities: readonly string[];
  /** How many tasks it takes at once. */
  readonly maxConcurrentTasks: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The session to resume, from an earlier `welcome`. */
  readonly agentId?: string | undefined;
  /** Proves that the session is this agent's. */
  readonly resumeToken?: string | undefined;
  /** X10: counts this agent's connections. Of two sockets of one session the one with the higher number is the newer. */
  readonly connection: number;
  /** Tasks that it works on. */
  readonly holding: readonly HeldTask[];
  /** Tasks whose results were not acknowledged, at most `agentLimits.maxOwed` of them; all of them follow after `welcome`. */
  readonly owed: readonly string[];
}

/** The agent works on the task from now on. */
export interface AcceptFrame {
  readonly type: "accept";
  readonly taskId: string;
  readonly attempt: number;
}

/** The agent does not take the task; it goes to another one. */
export interface RefuseFrame {
  readonly type: "refuse";
  readonly taskId: string;
  readonly attempt: number;
  readonly reason: "busy" | "unknown_capability" | "draining";
}

/** How far a task is. Shown to people, never stored as a result; may be dropped on the way. */
export interface ProgressFrame {
  readonly type: "progress";
  readonly taskId: string;
  readonly attempt: number;
  /** From 0 to 1. */
  readonly value?: number | undefined;
  readonly message?: string | undefined;
}

/** What a task came to. Sent again until a node answers with `ack`. */
export interface ResultFrame {
  readonly type: "result";
  readonly taskId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly result: unknown;
  readonly confidence?: number | undefined;
}

/** A task that ended without a result. Sent again until a node answers with `ack`. */
export interface FailureFrame {
  readonly type: "failure";
  readonly taskId: string;
  readonly executionId: string;
  readonly attempt: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Whether another attempt may work. */
    readonly retryable: boolean;
  };
}

/** What the agent can take has changed. */
export interface StatusFrame {
  readonly type: "status";
  readonly maxConcurrentTasks: number;
  /** It takes no new tasks, but finishes and delivers what it has. */
  readonly draining: boolean;
}

/** The agent leaves on purpose and does not come back: what it holds goes to others at once. */
export interface GoodbyeFrame {
  readonly type: "goodbye";
}

/** Whatever an agent sends to a node. */
export type AgentFrame =
  | HelloFrame
  | AcceptFrame
  | RefuseFrame
  | ProgressFrame
  | ResultFrame
  | FailureFrame
  | StatusFrame
  | GoodbyeFrame;

const attempt = { taskId: taskIdSchema, attempt: ordinalSchema };
const outcome = { ...attempt, executionId: executionIdSchema };
const heldTaskSchema: ObjectSchema<HeldTask> = z.object(outcome);
const concurrencySchema = z.int().min(1).max(agentLimits.maxConcurrentTasks);

const helloSchema: ObjectSchema<HelloFrame> = z.object({
  type: z.literal("hello"),
  // Terminals show it.
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^\P{Cc}*$/u, "leave out control characters"),
  capabilities: capabilitiesSchema,
  maxConcurrentTasks: concurrencySchema,
  metadata: z
    .record(z.string(), z.unknown())
    .refine(isShort, `use at most ${agentLimits.maxMetadataBytes} bytes of JSON`),
  agentId: agentIdSchema.optional(),
  resumeToken: z.string().max(512).optional(),
  connection: ordinalSchema,
  holding: z.array(heldTaskSchema).max(agentLimits.maxConcurrentTasks),
  owed: z.array(taskIdSchema).max(agentLimits.maxOwed),
});

function isShort(metadata: Readonly<Record<string, unknown>>): boolean {
  return new TextEncoder().encode(JSON.stringify(metadata)).length <= agentLimits.maxMetadataBytes;
}

const acceptSchema: ObjectSchema<AcceptFrame> = z.object({ type: z.literal("accept"), ...attempt });

const refuseSchema: ObjectSchema<RefuseFrame> = z.object({
  type: z.literal("refuse"),
  ...attempt,
  reason: z.enum(["busy", "unknown_capability", "draining"]),
});

const progressSchema: ObjectSchema<ProgressFrame> = z.object({
  type: z.literal("progress"),
  ...attempt,
  value: z.number().min(0).max(1).optional(),
  message: z.string().max(4096).optional(),
});

const resultSchema: ObjectSchema<ResultFrame> = z.object({
  type: z.literal("result"),
  ...outcome,
  result: z.unknown(),
  confidence: confidenceSchema.optional(),
});

const failureSchema: ObjectSchema<FailureFrame> = z.object({
  type: z.literal("failure"),
  ...outcome,
  error: z.object({
    code: z.string().min(1).max(64),
    message: z.string().max(8192),
    retryable: z.boolean(),
  }),
});

const statusSchema: ObjectSchema<StatusFrame> = z.object({
  type: z.literal("status"),
  maxConcurrentTasks: concurrencySchema,
  draining: z.boolean(),
});

const goodbyeSchema: ObjectSchema<GoodbyeFrame> = z.object({ type: z.literal("goodbye") });

/** The schema of each frame from an agent, by its type. */
export const agentFrameSchemas: { readonly [Type in AgentFrame["type"]]: z.ZodType<AgentFrame> } = {
  hello: helloSchema,
  accept: acceptSchema,
  refuse: refuseSchema,
  progress: progressSchema,
  result: resultSchema,
  failure: failureSchema,
  status: statusSchema,
  goodbye: goodbyeSchema,
};
