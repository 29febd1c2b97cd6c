import type { CancelTimer, Clock, Logger, Unsubscribe } from "@parallax/core";
import type { Collection } from "@parallax/state-store";
import type { Hub } from "../agents/hub.ts";
import type { Roster } from "../agents/roster.ts";
import type { MessageOf, NodeMessage } from "../node-messages.ts";
import type { Broker, Courier, Delivery, Grant, Seek } from "./broker.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { resultKey } from "./inbox.ts";
import {
  attemptOf,
  currentAssignment,
  drivenFrom,
  type ExecutionRecord,
  executionOf,
  taskIndex,
} from "./record.ts";

export interface ExchangeOptions {
  readonly nodeId: string;
  readonly dispatcher: Dispatcher;
  readonly roster: Roster;
  readonly hub: () => Pick<Hub, "has" | "send">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The other nodes that take work. */
  readonly peers: () => readonly string[];
  readonly send: (nodeId: string, message: NodeMessage) => void;
  /** The node that an agent is connected to now, by its session. */
  readonly whereIs: (agentId: string) => Promise<string | undefined>;
  readonly executions: Pick<Collection<ExecutionRecord>, "get" | "inbox">;
  /** Store time, as far as it counts. */
  readonly nowMs: () => number;
}

/** Asking is repeated as long as the task waits; what was asked is forgotten after twice this time. */
const askEveryMs = 5000;
/** How long an agent is held for an offer that nobody takes up. */
const offerHoldMs = 5000;

/** What this node asked others for, and does for others: agents found across the cluster, and tasks brought to them. */
export interface Exchange extends Broker, Courier {
  receive(message: NodeMessage): void;
  /** Forgets what was asked for and what is held for others; no timer is left. */
  close(): void;
}

export function createExchange(options: ExchangeOptions): Exchange {
  const { nodeId, dispatcher, roster, hub, clock, logger, peers, send } = options;
  const seeking = new Map<string, Seek & { readonly standInLine: () => void }>();
  /** Tasks of other nodes that stand in our line, and agents that we hold for them, by asker and task. */
  const foreign = new Map<string, { readonly undo: () => void; readonly cancelTimer: CancelTimer }>();
  let newAsks = new Set<string>();
  let reminder: Unsubscribe | undefined;

  function seek(wanted: Seek): Unsubscribe {
    const { taskId, capabilities } = wanted;
    let open = true;
    const settle = (grant: Grant): void => {
      if (!open) {
        release(taskId, grant);
        return;
      }
      withdraw(grant.nodeId);
      wanted.onGranted(grant);
    };
    let line: ReturnType<Dispatcher["request"]> | undefined;
    /** A line that is full is tried again whenever the others are asked again. */
    function standInLine(): void {
      if (line?.queued) return;
      line = dispatcher.request({
        taskId,
        capabilities,
        excluded: wanted.excluded,
        onGranted: (agentId) => settle({ agentId, nodeId }),
      });
    }
    standInLine();
    /** Whoever granted holds an agent for us: a withdrawal there would free it for somebody else. */
    function withdraw(grantedBy?: string): void {
      if (!open) return;
      open = false;
      if (!seeking.delete(taskId)) return;
      if (seeking.size === 0) stopReminding();
      line?.withdraw();
      for (const peer of peers())
        if (peer !== grantedBy) send(peer, { type: "withdraw", from: nodeId, taskIds: [taskId] });
    }
    if (open) {
      seeking.set(taskId, { ...wanted, onGranted: settle, standInLine });
      askSoon(taskId);
    }
    return () => withdraw();
  }

  /** All that is asked for in one tick goes in one message per node. */
  function askSoon(taskId: string): void {
    if (newAsks.size === 0)
      queueMicrotask(() => {
        const asked = newAsks;
        newAsks = new Set();
        ask([...asked]);
      });
    newAsks.add(taskId);
    reminder ??= clock.every(askEveryMs, () => {
      for (const { standInLine } of [...seeking.values()]) standInLine();
      ask([...seeking.keys()]);
    });
  }

  function stopReminding(): void {
    reminder?.();
    reminder = undefined;
  }

  function ask(taskIds: readonly string[]): void {
    const tasks = taskIds.flatMap((taskId) => {
      const wanted = seeking.get(taskId);
      return wanted
        ? [{ taskId, capabilities: [...wanted.capabilities], excluded: [...wanted.excluded()] }]
        : [];
    });
    if (tasks.length === 0) return;
    for (const peer of peers()) send(peer, { type: "ask", from: nodeId, tasks });
  }

  function onAsk({ from, tasks }: MessageOf<"ask">): void {
    for (const { taskId, capabilities, excluded } of tasks) {
      const key = `${from} ${taskId}`;
      const setExcluded = new Set(excluded);
      giveUp(key);
      const line = dispatcher.request({
        taskId,
        capabilities,
        excluded: () => setExcluded,
        onGranted(agentId) {
          claim(key);
          keep(key, offerHoldMs, () => roster.release(agentId, taskId));
          send(from, { type: "offer", from: nodeId, taskId, agentId });
        },
      });
      if (!foreign.has(key)) keep(key, askEveryMs * 2, line.withdraw);
    }
  }

  /** Keeps a place in the line or an agent for a while; `undo` runs when the time is over or it is given up before. */
  function keep(key: string, ms: number, undo: () => void): void {
    foreign.set(key, { undo, cancelTimer: clock.after(ms, () => giveUp(key)) });
  }

  function giveUp(key: string): void {
    const kept = foreign.get(key);
    claim(key);
    kept?.undo();
  }

  /** What was kept has gone over to its purpose. */
  function claim(key: string): void {
    foreign.get(key)?.cancelTimer();
    foreign.delete(key);
  }

  function onOffer({ from, taskId, agentId }: MessageOf<"offer">): void {
    const wanted = seeking.get(taskId);
    const grant = { agentId, nodeId: from };
    if (wanted && !wanted.excluded().has(agentId)) wanted.onGranted(grant);
    else release(taskId, grant);
  }

  function release(taskId: string, grant: Grant): void {
    if (grant.nodeId === nodeId) roster.release(grant.agentId, taskId);
    else send(grant.nodeId, { type: "release", from: nodeId, taskId, agentId: grant.agentId });
  }

  /**
   * A task of another node's execution as it was journaled; undefined if this is not its current assignment (X3), or if one
   * that is sent again has its result by now.
   */
  async function journaled(message: MessageOf<"dispatch">): Promise<Delivery | undefined> {
    const { taskId, attempt, agentId, again } = message;
    const id = executionOf(taskId);
    const [stored, inbox] = await Promise.all([
      options.executions.get(id),
      again ? options.executions.inbox(id) : {},
    ]);
    if (Object.hasOwn(inbox, resultKey(taskId))) return undefined;
    const task = stored?.value.tasks[taskIndex(taskId)];
    const assignment = task && task.status === "assigned" ? currentAssignment(task) : undefined;
    if (!stored || !task || assignment?.agentId !== agentId || attemptOf(task) !== attempt) return undefined;
    const driven = drivenFrom(stored.value, options.nowMs());
    const { pattern, definition, input, deadlineAtMs, traceparent } = driven;
    const about = { pattern, capabilities: definition.capabilities, input, deadlineAtMs, traceparent };
    return { taskId, attempt, agentId, nodeId, ...about, resend: true };
  }

  async function onDispatch(message: MessageOf<"dispatch">): Promise<void> {
    const { from, taskId, agentId } = message;
    const key = `${from} ${taskId}`;
    const delivery = await journaled(message);
    if (!delivery) return giveUp(key);
    claim(key);
    roster.hold(agentId, taskId);
    hand(delivery);
  }

  function hand(delivery: Delivery): boolean {
    const { taskId, attempt, agentId, capabilities, pattern, input, traceparent } = delivery;
    const deadlineMs = Math.max(0, delivery.deadlineAtMs - options.nowMs());
    const executionId = executionOf(taskId);
    return hub().send(agentId, {
      type: "task",
      taskId,
      executionId,
      attempt,
      capabilities,
      pattern,
      input,
      deadlineMs,
      traceparent,
    });
  }

  async function forward(delivery: Delivery): Promise<void> {
    const { taskId, attempt, agentId, resend } = delivery;
    const target = resend ? await options.whereIs(agentId) : delivery.nodeId;
    if (target !== undefined && target !== nodeId)
      send(target, { type: "dispatch", from: nodeId, taskId, attempt, agentId, again: resend });
  }

  return {
    seek,
    release,
    deliver(delivery) {
      if (hub().has(delivery.agentId)) hand(delivery);
      else
        forward(delivery).catch((error: unknown) =>
          logger.warn("could not bring a task to its agent", { error }),
        );
    },
    cancel({ taskId, attempt, agentId, nodeId: target }, reason) {
      roster.release(agentId, taskId);
      if (hub().send(agentId, { type: "cancel", taskId, reason })) return;
      if (target !== nodeId)
        send(target, { type: "cancel-task", from: nodeId, taskId, attempt, agentId, reason });
    },
    receive(message) {
      switch (message.type) {
        case "ask":
          return onAsk(message);
        case "withdraw":
          for (const taskId of message.taskIds) giveUp(`${message.from} ${taskId}`);
          return;
        case "offer":
          return onOffer(message);
        case "release":
          return giveUp(`${message.from} ${message.taskId}`);
        case "dispatch":
          return void onDispatch(message).catch((error: unknown) =>
            logger.warn("could not take over a task", { error }),
          );
        case "cancel-task":
          roster.release(message.agentId, message.taskId);
          return void hub().send(message.agentId, {
            type: "cancel",
            taskId: message.taskId,
            reason: message.reason,
          });
        default:
          return;
      }
    },
    close() {
      seeking.clear();
      stopReminding();
      for (const key of [...foreign.keys()]) giveUp(key);
    },
  };
}
