import { ParallaxError, type Random } from "@parallax/core";
import {
  type AgentFrame,
  agentLimits,
  type CancelFrame,
  type HeldTask,
  type HelloFrame,
  type NodeFrame,
  type RefuseFrame,
  type TaskFrame,
  type WelcomeFrame,
} from "@parallax/protocol";
import type { AgentEvent } from "./agent-events.ts";
import { createOutbox } from "./outbox.ts";
import { type Outcome, outcomeFrame } from "./outcome.ts";

/** How often progress of one task is reported at most, in milliseconds. */
const progressIntervalMs = 1_000;

/** What the session wants to be done. */
export type Effect =
  | { readonly type: "send"; readonly frame: AgentFrame }
  /** Start the handler of `capability`, and call `finished` with `run` once it has ended. */
  | { readonly type: "run"; readonly run: number; readonly task: TaskFrame; readonly capability: string }
  /** Abort that handler's signal. */
  | { readonly type: "abort"; readonly run: number; readonly reason: string }
  /** Close this connection after `afterMs`, and connect again. */
  | { readonly type: "move"; readonly afterMs: number }
  | { readonly type: "notify"; readonly event: AgentEvent };

/** Options of {@link createSession}. */
export interface SessionOptions {
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly maxConcurrentTasks: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The first of these capabilities that has a handler. */
  readonly choose: (capabilities: readonly string[]) => string | undefined;
  readonly random: Random;
}

interface Held extends HeldTask {
  attempt: number;
  readonly run: number;
  readonly deadlineAtMs: number;
  reportedAtMs: number;
  report: { readonly value: number; readonly message?: string } | undefined;
}

/**
 * The agent's side of a session, without sockets and timers: what it holds, what it owes, and how it answers each frame.
 * Every method takes the monotonic time in milliseconds where it matters, and returns what is to be done, in order.
 */
export interface Session {
  /** Whether a task runs whose result will count, or a result is not acknowledged yet. */
  readonly owes: boolean;
  readonly owed: number;
  /** Whether a node has welcomed the present connection. */
  readonly online: boolean;
  /** The first frame of a new connection. Counts it (X10). */
  hello(): HelloFrame;
  receive(frame: NodeFrame, nowMs: number): readonly Effect[];
  /** The connection is gone. */
  lost(): void;
  /** The next connection begins a new session. */
  forget(): void;
  finished(run: number, outcome: Outcome, nowMs: number): readonly Effect[];
  progress(run: number, value: number, message: string | undefined, nowMs: number): readonly Effect[];
  /** From now on no task is accepted. */
  drain(): readonly Effect[];
  /** Sends what has become due. Call it about once a second. */
  tick(nowMs: number): readonly Effect[];
}

export function createSession(options: SessionOptions): Session {
  const { name, capabilities, maxConcurrentTasks, metadata, choose, random } = options;
  const outbox = createOutbox(random);
  /** Tasks whose results are wanted. */
  const held = new Map<string, Held>();
  /** Every handler that has not ended, those of cancelled tasks too: they still take a slot. */
  const running = new Map<number, string>();
  /** Past this many unacknowledged results the agent takes no further task (S7). */
  const maxOwed = Math.min(agentLimits.maxOwed, Math.max(100, 10 * maxConcurrentTasks));
  let connection = 0;
  let runs = 0;
  let identity: { readonly agentId: string; readonly resumeToken: string } | undefined;
  let online = false;
  let draining = false;
  let maxPayloadBytes: number = agentLimits.maxPayloadBytes;
  let graceMs = 0;

  function flush(nowMs: number): readonly Effect[] {
    if (!online) return [];
    return outbox.due(nowMs, maxPayloadBytes).map((frame) => ({ type: "send", frame }));
  }

  function status(): Effect {
    return { type: "send", frame: { type: "status", maxConcurrentTasks, draining } };
  }

  function welcome(frame: WelcomeFrame, nowMs: number): readonly Effect[] {
    const { agentId, nodeId, resumeToken, resumed } = frame;
    identity = { agentId, resumeToken };
    online = true;
    maxPayloadBytes = frame.limits.maxPayloadBytes;
    graceMs = frame.reconnect.graceMs;
    outbox.restart();
    const effects: Effect[] = draining ? [status()] : [];
    effects.push(...flush(nowMs), { type: "notify", event: { type: "connected", agentId, nodeId, resumed } });
    if (resumed) effects.push({ type: "notify", event: { type: "resumed", agentId, nodeId } });
    return effects;
  }

  function takeTask(task: TaskFrame, nowMs: number): readonly Effect[] {
    const { taskId, executionId, attempt } = task;
    const accept: Effect = { type: "send", frame: { type: "accept", taskId, attempt } };
    const present = held.get(taskId);
    if (present) {
      // The same handler goes on for the later attempt: a task's first result counts, of whatever attempt (X4).
      present.attempt = Math.max(present.attempt, attempt);
      return [accept];
    }
    const owed = outbox.get(taskId);
    if (owed && (owed.type === "result" || attempt <= owed.attempt)) {
      outbox.hasten(taskId);
      return flush(nowMs);
    }
    const capability = choose(task.capabilities);
    const reason = refusal(capability);
    if (capability === undefined || reason) {
      const frame: RefuseFrame = { type: "refuse", taskId, attempt, reason: reason ?? "unknown_capability" };
      return [{ type: "send", frame }];
    }
    // A failure of an earlier attempt that was not acknowledged: this attempt is its answer.
    outbox.remove(taskId);
    runs += 1;
    const deadlineAtMs = nowMs + task.deadlineMs;
    held.set(taskId, {
      ...{ taskId, executionId, attempt, deadlineAtMs },
      run: runs,
      reportedAtMs: -Infinity,
      report: undefined,
    });
    running.set(runs, taskId);
    const event: AgentEvent = {
      type: "task",
      taskId,
      executionId,
      attempt,
      capability,
      pattern: task.pattern,
    };
    return [accept, { type: "run", run: runs, task, capability }, { type: "notify", event }];
  }

  function refusal(capability: string | undefined): RefuseFrame["reason"] | undefined {
    if (draining) return "draining";
    if (capability === undefined) return "unknown_capability";
    return running.size >= maxConcurrentTasks || outbox.size >= maxOwed ? "busy" : undefined;
  }

  function cancel({ taskId, reason }: CancelFrame): readonly Effect[] {
    const task = held.get(taskId);
    if (!task) return [];
    held.delete(taskId);
    return [
      { type: "abort", run: task.run, reason },
      { type: "notify", event: { type: "task-cancelled", taskId, reason } },
    ];
  }

  function report(task: Held, nowMs: number): readonly Effect[] {
    if (!online || !task.report || nowMs - task.reportedAtMs < progressIntervalMs) return [];
    const { taskId, attempt } = task;
    const frame: AgentFrame = { type: "progress", taskId, attempt, ...task.report };
    task.report = undefined;
    task.reportedAtMs = nowMs;
    return [{ type: "send", frame }];
  }

  return {
    get owes() {
      return held.size > 0 || outbox.size > 0;
    },
    get owed() {
      return outbox.size;
    },
    get online() {
      return online;
    },
    hello() {
      connection += 1;
      const holding = [...held.values()].map(({ taskId, executionId, attempt }) => ({
        taskId,
        executionId,
        attempt,
      }));
      const owed = outbox.taskIds();
      return {
        type: "hello",
        name,
        capabilities,
        maxConcurrentTasks,
        metadata,
        ...identity,
        connection,
        holding,
        owed,
      };
    },
    receive(frame, nowMs) {
      if (frame.type === "welcome") return online ? [] : welcome(frame, nowMs);
      if (!online) return [];
      switch (frame.type) {
        case "task":
          return takeTask(frame, nowMs);
        case "ack": {
          const { taskId, attempt, outcome } = frame;
          if (!outbox.acknowledge(frame, nowMs, graceMs)) return flush(nowMs);
          const event: AgentEvent = { type: "result-acknowledged", taskId, attempt, outcome };
          return [...flush(nowMs), { type: "notify", event }];
        }
        case "cancel":
          return cancel(frame);
        case "token":
          if (identity) identity = { ...identity, resumeToken: frame.resumeToken };
          return [];
        case "drain":
          return [{ type: "move", afterMs: frame.reconnectAfterMs }];
        case "error": {
          const error = new ParallaxError(frame.code, frame.message);
          return [{ type: "notify", event: { type: "error", error } }];
        }
      }
    },
    lost() {
      online = false;
    },
    forget() {
      identity = undefined;
    },
    finished(run, outcome, nowMs) {
      const taskId = running.get(run);
      running.delete(run);
      const task = taskId === undefined ? undefined : held.get(taskId);
      // A cancelled task, or one that was cancelled and then assigned anew: nobody waits for this run.
      if (task?.run !== run) return [];
      held.delete(task.taskId);
      outbox.put(outcomeFrame(task, outcome), task.deadlineAtMs);
      return flush(nowMs);
    },
    progress(run, value, message, nowMs) {
      const task = held.get(running.get(run) ?? "");
      if (task?.run !== run || !(value >= 0 && value <= 1)) return [];
      task.report = message === undefined ? { value } : { value, message: message.slice(0, 4096) };
      return report(task, nowMs);
    },
    drain() {
      draining = true;
      return online ? [status()] : [];
    },
    tick(nowMs) {
      return [...[...held.values()].flatMap((task) => report(task, nowMs)), ...flush(nowMs)];
    },
  };
}
