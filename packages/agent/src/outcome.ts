import { errorMessage, isParallaxError } from "@parallax/core";
import {
  encodeFrame,
  type FailureFrame,
  type HeldTask,
  parseAgentFrame,
  type ResultFrame,
} from "@parallax/protocol";

/** What a handler came to: it answered, or it threw. */
export type Outcome =
  | { readonly type: "answered"; readonly answer: unknown }
  | { readonly type: "threw"; readonly error: unknown };

/** What is owed for a task. */
export type OutcomeFrame = ResultFrame | FailureFrame;

/**
 * The frame for an outcome. It is always one that a node can read: an answer that is no valid result becomes a failure here,
 * as a frame that every node refuses would be sent again for ever.
 */
export function outcomeFrame(task: HeldTask, outcome: Outcome): OutcomeFrame {
  if (outcome.type === "threw") return thrownFrame(task, outcome.error);
  const { answer } = outcome;
  if (typeof answer !== "object" || answer === null || !("result" in answer)) {
    return failureFrame(
      task,
      "invalid_result",
      "answering a task: return { result } or { result, confidence }",
    );
  }
  const confidence = "confidence" in answer ? answer.confidence : undefined;
  return resultFrame(task, answer.result, confidence);
}

/** A failure that no further attempt can mend. */
export function failureFrame(task: HeldTask, code: string, message: string): FailureFrame {
  return {
    type: "failure",
    ...held(task),
    error: { code, message: message.slice(0, 8192), retryable: false },
  };
}

/** How long a frame is on the wire, in bytes. */
export function frameSizeBytes(frame: OutcomeFrame): number {
  return Buffer.byteLength(encodeFrame(frame));
}

function resultFrame(task: HeldTask, result: unknown, confidence: unknown): OutcomeFrame {
  let text: string;
  try {
    text = JSON.stringify({ type: "result", ...held(task), result: result ?? null, confidence });
  } catch (error) {
    const message = `writing a result as JSON: return plain values only (${errorMessage(error)})`;
    return failureFrame(task, "invalid_result", message);
  }
  const parsed = parseAgentFrame(text);
  if (parsed.ok && parsed.frame.type === "result") return parsed.frame;
  const reason = parsed.ok ? "not a result" : parsed.error.message;
  return failureFrame(task, "invalid_result", reason);
}

function thrownFrame(task: HeldTask, error: unknown): FailureFrame {
  const own = isParallaxError(error) && /^[a-z0-9_]{1,64}$/.test(error.code);
  const frame = failureFrame(task, own ? error.code : "handler_failed", errorMessage(error));
  const retryable = !(isParallaxError(error) && error.details?.retryable === false);
  return { ...frame, error: { ...frame.error, retryable } };
}

function held({ taskId, executionId, attempt }: HeldTask): HeldTask {
  return { taskId, executionId, attempt };
}
