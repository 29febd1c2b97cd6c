import type { FailureFrame, ResultFrame } from "@parallax/protocol";
import type { Letter } from "../executions/inbox.ts";

/** A letter about a task. */
export type OutcomeLetter = Extract<Letter, { readonly taskId: string }>;

/** The letter that a frame becomes in the inbox of its execution. Who sent it is the session's word, not the frame's. */
export function letterOf(
  frame: ResultFrame | FailureFrame,
  agentId: string,
  agentName: string,
): OutcomeLetter {
  const { taskId, attempt } = frame;
  if (frame.type === "failure") {
    const { code, message, retryable } = frame.error;
    return { kind: "failure", taskId, attempt, agentId, error: { code, message }, retryable };
  }
  const { result, confidence } = frame;
  const about = { kind: "result" as const, taskId, attempt, agentId, agentName, result };
  return confidence === undefined ? about : { ...about, confidence };
}
