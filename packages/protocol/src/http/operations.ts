import { z } from "zod";
import { agentPath } from "../agent/transport.ts";
import { agentIdSchema, executionIdSchema } from "../ids.ts";
import type { ObjectSchema } from "../object-schema.ts";
import { patternNameSchema } from "../scalars.ts";
import {
  type Agent,
  type AgentPage,
  agentPageSchema,
  agentSchema,
  type ListAgentsQuery,
  listAgentsQuerySchema,
} from "./agent.ts";
import { type EventsQuery, eventsQuerySchema } from "./events.ts";
import {
  type Execution,
  type ExecutionPage,
  executionPageSchema,
  executionSchema,
  type ListExecutionsQuery,
  listExecutionsQuerySchema,
  type SubmitExecution,
  type SubmitQuery,
  submitExecutionSchema,
  submitQuerySchema,
} from "./execution.ts";
import { noInput, type Operation } from "./operation.ts";
import {
  type ListPatternsQuery,
  listPatternsQuerySchema,
  type Pattern,
  type PatternDefinition,
  type PatternList,
  patternDefinitionSchema,
  patternListSchema,
  patternSchema,
} from "./pattern.ts";

/** The path of one execution or agent. */
export interface IdParams {
  readonly id: string;
}

/** The header under which a repeated request is known. */
export interface IdempotencyHeaders {
  /** The same key gives the same execution, however often and to whichever node it is sent. */
  readonly "Idempotency-Key"?: string | undefined;
}

const idempotencyHeadersSchema: ObjectSchema<IdempotencyHeaders> = z.object({
  "Idempotency-Key": z.string().min(1).max(256).optional().meta({
    description:
      "The same key gives the same execution, however often and to whichever node it is sent; with another request it is refused with 422.",
  }),
});

/** The header with which a reader of events goes on. */
export interface ResumeHeaders {
  /** The `id` of the last event that was seen. */
  readonly "Last-Event-ID"?: string | undefined;
}

const resumeHeadersSchema: ObjectSchema<ResumeHeaders> = z.object({
  "Last-Event-ID": z.string().max(4096).optional().meta({
    description: "The `id` of the last event that was seen: the stream goes on after it, on any node.",
  }),
});

const executionParamsSchema: ObjectSchema<IdParams> = z.object({ id: executionIdSchema });
const noQuery = z.strictObject({});
const eventStream = "text/event-stream";

/** `POST /api/executions` */
export const submitExecution: Operation<
  Execution,
  { query: SubmitQuery; headers: IdempotencyHeaders; body: SubmitExecution }
> = {
  id: "submitExecution",
  method: "POST",
  path: "/api/executions",
  tag: "executions",
  summary: "Run a pattern",
  description:
    "Answers once the execution is stored: nothing that was accepted is lost. With `wait` it answers with the result, if there is one by then. A repetition under the same `Idempotency-Key` answers with the execution that there is, and `Idempotent-Replayed: true`.",
  role: "api",
  input: z.object({
    query: submitQuerySchema,
    headers: idempotencyHeadersSchema,
    body: submitExecutionSchema,
  }),
  answer: {
    status: 202,
    statuses: {
      202: "It is accepted, and goes on. `Location` says where it is.",
      200: "It has ended within `wait`.",
    },
    schema: executionSchema,
  },
  errors: [
    "invalid_input",
    "pattern_not_found",
    "idempotency_key_reused",
    "outcome_unknown",
    "store_full",
    "overloaded",
    "draining",
  ],
};

/** `GET /api/executions` */
export const listExecutions: Operation<ExecutionPage, { query: ListExecutionsQuery }> = {
  id: "listExecutions",
  method: "GET",
  path: "/api/executions",
  tag: "executions",
  summary: "List executions",
  description:
    "The newest first; of a final `status`, those that ended last. Tasks are shown without their results. A page may be shorter than `limit`; the list goes on as long as there is a `cursor`.",
  role: "api",
  input: z.object({ query: listExecutionsQuerySchema }),
  answer: { statuses: { 200: "A page of executions." }, schema: executionPageSchema },
  errors: ["invalid_cursor"],
};

/** `GET /api/executions/{id}` */
export const getExecution: Operation<Execution, { params: IdParams }> = {
  id: "getExecution",
  method: "GET",
  path: "/api/executions/{id}",
  tag: "executions",
  summary: "Read an execution",
  role: "api",
  input: z.object({ params: executionParamsSchema, query: noQuery }),
  answer: { statuses: { 200: "The execution." }, schema: executionSchema },
  errors: ["execution_not_found"],
};

/** `POST /api/executions/{id}/cancel` */
export const cancelExecution: Operation<Execution, { params: IdParams }> = {
  id: "cancelExecution",
  method: "POST",
  path: "/api/executions/{id}/cancel",
  tag: "executions",
  summary: "Cancel an execution",
  description: "Reaches the agents that work on it. Cancelling what is cancelled changes nothing.",
  role: "api",
  input: z.object({ params: executionParamsSchema, query: noQuery }),
  answer: {
    statuses: { 200: "It is cancelled.", 202: "The wish is stored; its node has not yet carried it out." },
    schema: executionSchema,
  },
  errors: ["execution_not_found", "execution_finished"],
};

/** `POST /api/executions/{id}/retry` */
export const retryExecution: Operation<Execution, { params: IdParams; headers: IdempotencyHeaders }> = {
  id: "retryExecution",
  method: "POST",
  path: "/api/executions/{id}/retry",
  tag: "executions",
  summary: "Run an execution again",
  description:
    "Makes a new execution of the same pattern as it is now, with the same input and options; its `retryOf` names the old one, which stays as it is.",
  role: "api",
  input: z.object({ params: executionParamsSchema, query: noQuery, headers: idempotencyHeadersSchema }),
  answer: {
    status: 202,
    statuses: { 202: "The new execution. `Location` says where it is." },
    schema: executionSchema,
  },
  errors: [
    "invalid_input",
    "execution_not_found",
    "pattern_not_found",
    "execution_open",
    "idempotency_key_reused",
    "outcome_unknown",
    "store_full",
    "overloaded",
    "draining",
  ],
};

/** `GET /api/executions/{id}/events` */
export const streamExecutionEvents: Operation<string, { params: IdParams; headers: ResumeHeaders }> = {
  id: "streamExecutionEvents",
  method: "GET",
  path: "/api/executions/{id}/events",
  tag: "events",
  summary: "Follow an execution",
  description:
    "Its history from the start or from `Last-Event-ID` on, then what happens, then its final state as `snapshot`, which ends the stream. `event` carries a ClusterEvent, `snapshot` an Execution. Where events are no longer there, a `snapshot` stands for them. A node that drains ends the stream with `retry:`; any other goes on with it.",
  role: "api",
  input: z.object({ params: executionParamsSchema, query: noQuery, headers: resumeHeadersSchema }),
  answer: { statuses: { 200: "Server-sent events." }, contentType: eventStream },
  errors: ["execution_not_found", "gone", "invalid_cursor", "overloaded"],
};

/** `GET /api/events` */
export const streamEvents: Operation<string, { query: EventsQuery; headers: ResumeHeaders }> = {
  id: "streamEvents",
  method: "GET",
  path: "/api/events",
  tag: "events",
  summary: "Follow the cluster",
  description:
    "What happens from now or from `Last-Event-ID` on. `event` carries a ClusterEvent; `gap` an EventGap: what lies between is no longer there, so reload what you built from it. A node that drains ends the stream with `retry:`; any other goes on with it.",
  role: "api",
  input: z.object({ query: eventsQuerySchema, headers: resumeHeadersSchema }),
  answer: { statuses: { 200: "Server-sent events." }, contentType: eventStream },
  errors: ["invalid_cursor", "overloaded"],
};

/** `GET /api/agents` */
export const listAgents: Operation<AgentPage, { query: ListAgentsQuery }> = {
  id: "listAgents",
  method: "GET",
  path: "/api/agents",
  tag: "agents",
  summary: "List agents",
  description:
    "The newest session first. A page may be shorter than `limit`; the list goes on as long as there is a `cursor`.",
  role: "api",
  input: z.object({ query: listAgentsQuerySchema }),
  answer: { statuses: { 200: "A page of agents." }, schema: agentPageSchema },
  errors: ["invalid_cursor"],
};

/** `GET /api/agents/{id}` */
export const getAgent: Operation<Agent, { params: IdParams }> = {
  id: "getAgent",
  method: "GET",
  path: "/api/agents/{id}",
  tag: "agents",
  summary: "Read an agent",
  role: "api",
  input: z.object({ params: z.object({ id: agentIdSchema }), query: noQuery }),
  answer: { statuses: { 200: "The agent's session." }, schema: agentSchema },
  errors: ["agent_not_found"],
};

/** `GET /ws/agent` */
export const connectAgent: Operation<string> = {
  id: "connectAgent",
  method: "GET",
  path: agentPath,
  tag: "agents",
  summary: "Connect an agent",
  description:
    "The agents' WebSocket: upgrade with the subprotocol that docs/agent-protocol.md describes, or use `@parallax/agent`.",
  role: "agent",
  input: noInput,
  answer: { statuses: { 101: "The connection is the agent's." }, contentType: "application/octet-stream" },
  errors: ["upgrade_required", "unsupported_version", "too_many_connections", "not_ready"],
};

/** The path of one pattern. */
export interface NameParams {
  readonly name: string;
}

const nameParamsSchema: ObjectSchema<NameParams> = z.object({ name: patternNameSchema });

/** `GET /api/patterns` */
export const listPatterns: Operation<PatternList, { query: ListPatternsQuery }> = {
  id: "listPatterns",
  method: "GET",
  path: "/api/patterns",
  tag: "patterns",
  summary: "List patterns",
  description: "The newest first. The list goes on as long as there is a `cursor`.",
  role: "api",
  input: z.object({ query: listPatternsQuerySchema }),
  answer: { statuses: { 200: "A page of patterns." }, schema: patternListSchema },
  errors: ["invalid_cursor"],
};

/** `GET /api/patterns/{name}` */
export const getPattern: Operation<Pattern, { params: NameParams }> = {
  id: "getPattern",
  method: "GET",
  path: "/api/patterns/{name}",
  tag: "patterns",
  summary: "Read a pattern",
  role: "api",
  input: z.object({ params: nameParamsSchema, query: noQuery }),
  answer: { statuses: { 200: "The pattern." }, schema: patternSchema },
  errors: ["pattern_not_found"],
};

/** `PUT /api/patterns/{name}` */
export const putPattern: Operation<Pattern, { params: NameParams; body: PatternDefinition }> = {
  id: "putPattern",
  method: "PUT",
  path: "/api/patterns/{name}",
  tag: "patterns",
  summary: "Write a pattern",
  description:
    "Creates or replaces it, on all nodes. Executions that were accepted before keep to the definition that they have.",
  role: "admin",
  input: z.object({ params: nameParamsSchema, query: noQuery, body: patternDefinitionSchema }),
  answer: { statuses: { 200: "The pattern as it is stored." }, schema: patternSchema },
  errors: ["invalid_pattern", "unsupported_strategy"],
};
