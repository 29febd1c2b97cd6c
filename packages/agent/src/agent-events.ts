import type { ParallaxError } from "@parallax/core";
import type { AckFrame } from "@parallax/protocol";

/** What an agent reports. */
export type AgentEvent =
  /** A node welcomed the agent: it gets tasks from now on. */
  | {
      readonly type: "connected";
      readonly agentId: string;
      readonly nodeId: string;
      readonly resumed: boolean;
    }
  /** After `connected`, when the session of the connection before goes on. */
  | { readonly type: "resumed"; readonly agentId: string; readonly nodeId: string }
  /** The connection is lost or closed. Tasks go on, results wait. */
  | { readonly type: "disconnected"; readonly code: number; readonly reason: string }
  /** Waits `delayMs` milliseconds and connects again. `retry` counts failures in a row; planned moves don't count. */
  | {
      readonly type: "reconnecting";
      readonly delayMs: number;
      readonly retry: number;
      readonly url: string;
      readonly reason: string;
    }
  /** A task was accepted and its handler starts. */
  | {
      readonly type: "task";
      readonly taskId: string;
      readonly executionId: string;
      readonly attempt: number;
      readonly capability: string;
      readonly pattern: string;
    }
  /** The cluster does not want the task any more; its handler's signal has aborted. */
  | { readonly type: "task-cancelled"; readonly taskId: string; readonly reason: string }
  /** A node took a result or a failure for good. */
  | {
      readonly type: "result-acknowledged";
      readonly taskId: string;
      readonly attempt: number;
      readonly outcome: AckFrame["outcome"];
    }
  /** The agent does not try to connect any more: `start()` begins anew. */
  | { readonly type: "gave-up"; readonly error: ParallaxError }
  /** Something went wrong that does not stop the agent. */
  | { readonly type: "error"; readonly error: ParallaxError }
  /** `stop()` is done. `owed` results were not acknowledged, and are lost with this process. */
  | { readonly type: "stopped"; readonly owed: number };

/** The event with this type. */
export type AgentEventOf<Type extends AgentEvent["type"]> = Extract<AgentEvent, { readonly type: Type }>;

/** Whether an event is of a type. */
export function isEventOf<Type extends AgentEvent["type"]>(
  event: AgentEvent,
  type: Type,
): event is AgentEventOf<Type> {
  return event.type === type;
}
