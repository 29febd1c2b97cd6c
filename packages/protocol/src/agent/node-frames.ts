import { z } from "zod";
import { agentIdSchema, executionIdSchema, taskIdSchema } from "../ids.ts";
import type { ObjectSchema } from "../object-schema.ts";
import { capabilitiesSchema, ordinalSchema, patternNameSchema } from "../scalars.ts";

/** The answer to `hello`: the agent is connected. */
export interface WelcomeFrame {
  readonly type: "welcome";
  /** The session's id: the one of `hello` if it was resumed, else a new one. */
  readonly agentId: string;
  readonly nodeId: string;
  /** For the `hello` of the next connection; a secret. */
  readonly resumeToken: string;
  /** Whether the session of `hello` goes on. If not, results that the agent still owes are taken all the same. */
  readonly resumed: boolean;
  readonly limits: {
    /** The longest frame that the node takes, in bytes. */
    readonly maxPayloadBytes: number;
  };
  /** How often the node pings, in milliseconds. */
  readonly heartbeatMs: number;
  readonly reconnect: {
    /** How long the session can be resumed after the connection is lost, in milliseconds. */
    readonly graceMs: number;
    /** After an unclean loss the first attempt to come back is drawn from 0 to this many milliseconds. */
    readonly spreadMs: number;
  };
}

/** Work. The agent answers `accept` or `refuse`, and later `result` or `failure`. */
export interface TaskFrame {
  readonly type: "task";
  /** The idempotency key: a task may come more than once, with a higher attempt. */
  readonly taskId: string;
  readonly executionId: string;
  readonly attempt: number;
  /** What the pattern asks for, in its order. */
  readonly capabilities: readonly string[];
  /** The pattern's name. */
  readonly pattern: string;
  readonly input: unknown;
  /** Milliseconds that remain, not a time of day (T2). */
  readonly deadlineMs: number;
  /** W3C Trace Context, where somebody traces: the parent of the span that the agent makes of its work. */
  readonly traceparent?: string | undefined;
}

/** A `result` or `failure` has arrived for good: the agent forgets it. */
export interface AckFrame {
  readonly type: "ack";
  readonly taskId: string;
  readonly attempt: number;
  /**
   * `counted`: it is the task's result. `superseded`: the task had one, or its execution has ended. `unknown`: no such
   * execution at present; as a store can lose and regain it, the agent goes on sending until the task's deadline has passed.
   */
  readonly outcome: "counted" | "superseded" | "unknown";
}

/** The task is not wanted any more; nothing needs to be answered. */
export interface CancelFrame {
  readonly type: "cancel";
  readonly taskId: string;
  readonly reason: string;
}

/** This connection is to move to another node, for this one drains or has more than its share of the agents. */
export interface DrainFrame {
  readonly type: "drain";
  /** Close and connect again after this many milliseconds; the node closes a little later. */
  readonly reconnectAfterMs: number;
}

/** Takes the place of the resume token that the agent has: tokens expire, and a connection may last longer than one. */
export interface TokenFrame {
  readonly type: "token";
  readonly resumeToken: string;
}

/** A frame from the agent that the node could not take. The connection goes on. */
export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
}

/** Whatever a node sends to an agent. */
export type NodeFrame =
  | WelcomeFrame
  | TaskFrame
  | AckFrame
  | CancelFrame
  | DrainFrame
  | TokenFrame
  | ErrorFrame;

const durationMs = z.number().min(0);
const resumeToken = z.string().min(1).max(512);

const welcomeSchema: ObjectSchema<WelcomeFrame> = z.object({
  type: z.literal("welcome"),
  agentId: agentIdSchema,
  nodeId: z.string().min(1),
  resumeToken,
  resumed: z.boolean(),
  limits: z.object({ maxPayloadBytes: z.int().min(1024) }),
  heartbeatMs: durationMs,
  reconnect: z.object({ graceMs: durationMs, spreadMs: durationMs }),
});

const taskSchema: ObjectSchema<TaskFrame> = z.object({
  type: z.literal("task"),
  taskId: taskIdSchema,
  executionId: executionIdSchema,
  attempt: ordinalSchema,
  capabilities: capabilitiesSchema,
  pattern: patternNameSchema,
  input: z.unknown(),
  deadlineMs: durationMs,
  traceparent: z.string().max(256).optional(),
});

const ackSchema: ObjectSchema<AckFrame> = z.object({
  type: z.literal("ack"),
  taskId: taskIdSchema,
  attempt: ordinalSchema,
  outcome: z.enum(["counted", "superseded", "unknown"]),
});

const cancelSchema: ObjectSchema<CancelFrame> = z.object({
  type: z.literal("cancel"),
  taskId: taskIdSchema,
  reason: z.string().max(1024),
});

const drainSchema: ObjectSchema<DrainFrame> = z.object({
  type: z.literal("drain"),
  reconnectAfterMs: durationMs,
});

const tokenSchema: ObjectSchema<TokenFrame> = z.object({ type: z.literal("token"), resumeToken });

const errorSchema: ObjectSchema<ErrorFrame> = z.object({
  type: z.literal("error"),
  code: z.string().min(1),
  message: z.string(),
});

/** The schema of each frame from a node, by its type. */
export const nodeFrameSchemas: { readonly [Type in NodeFrame["type"]]: z.ZodType<NodeFrame> } = {
  welcome: welcomeSchema,
  task: taskSchema,
  ack: ackSchema,
  cancel: cancelSchema,
  drain: drainSchema,
  token: tokenSchema,
  error: errorSchema,
};
