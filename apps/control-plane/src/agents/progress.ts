import type { CancelTimer, Clock, Unsubscribe } from "@parallax/core";
import type { ProgressFrame } from "@parallax/protocol";
import { executionOf } from "../executions/record.ts";
import type { NodeMessage } from "../node-messages.ts";
import { Allowance } from "./allowance.ts";

/** How far a task is, as the agent that works on it said. */
export interface TaskProgress extends Omit<ProgressFrame, "type"> {
  readonly agentId: string;
}

export interface ProgressOptions {
  readonly nodeId: string;
  readonly clock: Clock;
  /** The other nodes. */
  readonly peers: () => readonly string[];
  readonly send: (nodeId: string, message: NodeMessage) => void;
}

/**
 * Brings what agents say of how far they are to whoever follows the execution, on whichever node. Nothing of it is stored, and nothing
 * leaves the agent's node unless somebody follows: nodes tell each other what is followed with them.
 */
export interface Progress {
  /** An agent of this node has said so. Dropped when nobody follows, or when it is too much. */
  report(progress: TaskProgress): void;
  /** Somebody here follows the execution. */
  follow(executionId: string, listener: (progress: TaskProgress) => void): Unsubscribe;
  receive(message: NodeMessage): void;
  stop(): void;
}

/** How often nodes tell what is followed with them, and how long that holds until the next look, in ms. */
const tellEveryMs = 5000;
const holdsMs = 3 * tellEveryMs;
/** What one node follows at most, of its own and of each other node (S7). */
const mostFollowed = 200;
/** What begins to be followed in this time is told together, in ms. */
const tellWithinMs = 20;
/** What is brought of all agents of a node together, a second and at once. */
const bounds = { perSecond: 200, burst: 200 } as const;
/** What is said of one task sooner than this is dropped: good agents say something once a second at most. */
const taskEveryMs = 500;

export function createProgress({ nodeId, clock, peers, send }: ProgressOptions): Progress {
  const here = new Map<string, Set<(progress: TaskProgress) => void>>();
  /** By node: what is followed there, and until when that holds. */
  const elsewhere = new Map<
    string,
    { readonly executionIds: ReadonlySet<string>; readonly untilMs: number }
  >();
  const allowance = new Allowance(bounds);
  /** By task: when something was last said of it. */
  const said = new Map<string, number>();
  let cancelTelling: CancelTimer | undefined;
  const stopTelling = clock.every(tellEveryMs, () => {
    const nowMs = clock.now();
    for (const [id, { untilMs }] of elsewhere) if (untilMs <= nowMs) elsewhere.delete(id);
    for (const [taskId, atMs] of said) if (nowMs - atMs >= taskEveryMs) said.delete(taskId);
    if (here.size > 0) tell();
  });

  function tellSoon(): void {
    cancelTelling ??= clock.after(tellWithinMs, () => {
      cancelTelling = undefined;
      tell();
    });
  }

  function tell(): void {
    const executionIds = [...here.keys()].slice(0, mostFollowed);
    for (const peer of peers()) send(peer, { type: "following", from: nodeId, executionIds });
  }

  function deliver(progress: TaskProgress): void {
    for (const listener of here.get(executionOf(progress.taskId)) ?? []) listener(progress);
  }

  function followersOf(executionId: string): readonly string[] {
    return [...elsewhere].filter(([, { executionIds }]) => executionIds.has(executionId)).map(([id]) => id);
  }

  function isTooMuch(taskId: string): boolean {
    const nowMs = clock.now();
    const lastMs = said.get(taskId);
    if (lastMs !== undefined && nowMs - lastMs < taskEveryMs) return true;
    // What is dropped does not count.
    if (allowance.take(0, nowMs) > 0) return true;
    allowance.take(1, nowMs);
    said.set(taskId, nowMs);
    return false;
  }

  return {
    report(progress) {
      const executionId = executionOf(progress.taskId);
      const nodes = followersOf(executionId);
      if (nodes.length === 0 && !here.has(executionId)) return;
      if (isTooMuch(progress.taskId)) return;
      deliver(progress);
      for (const node of nodes) send(node, { type: "progress", from: nodeId, ...progress });
    },
    follow(executionId, listener) {
      const listeners = here.get(executionId) ?? new Set();
      here.set(executionId, listeners.add(listener));
      if (listeners.size === 1) tellSoon();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && here.get(executionId) === listeners) here.delete(executionId);
      };
    },
    receive(message) {
      if (message.type === "progress") deliver(progressOf(message, message.agentId));
      if (message.type !== "following") return;
      const executionIds = new Set(message.executionIds.slice(0, mostFollowed));
      elsewhere.set(message.from, { executionIds, untilMs: clock.now() + holdsMs });
    },
    stop() {
      stopTelling();
      cancelTelling?.();
    },
  };
}

/** What of a frame, or of a message, is told. */
export function progressOf(
  { taskId, attempt, value, message }: Omit<ProgressFrame, "type">,
  agentId: string,
): TaskProgress {
  return { taskId, attempt, agentId, value, message };
}
