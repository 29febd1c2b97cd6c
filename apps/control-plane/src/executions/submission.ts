import { createHash } from "node:crypto";
import { ParallaxError, parseDuration, randomId } from "@parallax/core";
import { type PatternDefinition, type SubmitExecution, taskIdOf } from "@parallax/protocol";
import { canonicalJson } from "./aggregation.ts";
import { present } from "./present.ts";
import type { ExecutionRecord, Task } from "./record.ts";

/** Who submits, and under which key a repetition is known. */
export interface Submission {
  readonly request: SubmitExecution;
  readonly definition: PatternDefinition;
  /** The content of the function that the definition aggregates with. */
  readonly functionHash?: string | undefined;
  /** The caller, as far as the node knows: keys of different callers never meet. */
  readonly caller: string;
  readonly idempotencyKey?: string | undefined;
  readonly retryOf?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** A record about to be created, and its id. */
export interface Draft {
  readonly id: string;
  readonly record: ExecutionRecord;
}

/** Who will own it, when it is, and what applies where the pattern says nothing. */
export interface DraftContext {
  readonly nodeId: string;
  readonly owner: string;
  /** Store time, epoch ms. */
  readonly nowMs: number;
  readonly defaultTimeoutMs: number;
}

/**
 * The execution that a submission asks for. With an idempotency key its id follows from caller and key, so that a repetition
 * on any node meets the first in the same place (attack B10).
 */
export function draftExecution(submission: Submission, context: DraftContext): Draft {
  const { request, caller, idempotencyKey, retryOf } = submission;
  const { nodeId, owner, nowMs, defaultTimeoutMs } = context;
  const id =
    idempotencyKey === undefined
      ? randomId("exec_")
      : `exec_${digest([caller, idempotencyKey]).slice(0, 32)}`;
  const definition = withOptions(submission.definition, request.options);
  const timeoutMs = definition.timeout === undefined ? defaultTimeoutMs : parseDuration(definition.timeout);
  const record: ExecutionRecord = {
    status: "pending",
    pattern: definition.name,
    nodeId,
    owner,
    input: request.input,
    tasks: Array.from({ length: definition.agents.max }, (_, index) => newTask(taskIdOf(id, index))),
    createdAt: new Date(nowMs).toISOString(),
    definition,
    deadlineAtMs: nowMs + timeoutMs,
    adoptions: 0,
    // To run one execution again is not to run another of the same input again. Nobody can repeat a request without a key.
    requestDigest:
      idempotencyKey === undefined ? "" : digest(retryOf === undefined ? request : { ...request, retryOf }),
    ...(Object.keys(request.options).length === 0 ? {} : { options: request.options }),
    ...present({ retryOf, functionHash: submission.functionHash, traceparent: submission.traceparent }),
  };
  return { id, record };
}

/** @throws ParallaxError `idempotency_key_reused` (422) when `existing` was made by another request. */
export function assertSameRequest(existing: ExecutionRecord, draft: Draft): void {
  if (existing.requestDigest === draft.record.requestDigest) return;
  throw new ParallaxError(
    "idempotency_key_reused",
    "submitting an execution: this idempotency key was used for another request; use a new key for a new request",
    { details: { executionId: draft.id } },
  );
}

function withOptions(definition: PatternDefinition, options: SubmitExecution["options"]): PatternDefinition {
  const { timeout = definition.timeout, retries = definition.retries } = options;
  return { ...definition, retries, ...(timeout === undefined ? {} : { timeout }) };
}

function newTask(id: string): Task {
  return { id, status: "waiting", assignments: [], failures: 0 };
}

function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
