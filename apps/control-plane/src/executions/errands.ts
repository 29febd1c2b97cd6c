import type { Clock, Unsubscribe } from "@parallax/core";
import type { StoreTime } from "../store-time.ts";
import { type ExecutionEvent, excludedAgents, nextDueMs, tasksToSeek } from "./advance.ts";
import type { Broker, Courier, Delivery } from "./broker.ts";
import { createDeliveries } from "./deliveries.ts";
import { attemptOf, currentAssignment, type ExecutionRecord, type Task } from "./record.ts";
import { createSeeking } from "./seeking.ts";

/** What the errands of all executions share. */
export interface ErrandsParts {
  readonly broker: Broker;
  readonly courier: Courier;
  readonly clock: Clock;
  readonly storeTime: StoreTime;
  readonly reconnectGraceMs: number;
}

export interface ErrandsOptions {
  /** The execution as it is now. */
  readonly record: () => ExecutionRecord;
  /** It is being created; else its former owner may have sent what is assigned. */
  readonly isNew: boolean;
  readonly push: (event: ExecutionEvent) => void;
  /** Something is due though nothing happened. */
  readonly onAlarm: () => void;
}

/** What an execution wants done outside of its node's memory: agents found, tasks brought to them, a bell at its time. */
export interface Errands {
  /** Seeks agents for the tasks that want one. */
  seek(): void;
  /** Does what follows from the record, which is written. `pending` has not been taken note of yet. */
  run(pending: readonly ExecutionEvent[]): void;
  /** An event is about to be taken note of. */
  note(event: ExecutionEvent): void;
  accepted(taskId: string, attempt: number): void;
  stop(): void;
}

export function createErrands(parts: ErrandsParts, options: ErrandsOptions): Errands {
  const { broker, courier, clock, storeTime } = parts;
  const { record, isNew, push, onAlarm } = options;
  const answered = new Set<string>();
  const inherited = isNew ? [] : record().tasks.filter(({ status }) => status === "assigned");
  /** Attempts of a former owner: their agents may have moved since, or answered. */
  const former = new Set(inherited.map((task) => `${task.id} ${attemptOf(task)}`));
  let cancelAlarm: Unsubscribe = () => {};
  let alarmAtMs: number | undefined;

  const seeking = createSeeking({
    broker,
    capabilities: record().definition.capabilities,
    excluded: (taskId) => excludedAgents(record(), taskId),
    onGranted: (taskId, grant) => push({ kind: "granted", taskId, ...grant }),
  });
  const deliveries = createDeliveries({
    clock,
    courier,
    graceMs: parts.reconnectGraceMs,
    isAnswered: (taskId, attempt) => answered.has(`${taskId} ${attempt}`),
    onLost: (taskId, attempt) => push({ kind: "lost", taskId, attempt, refused: false }),
  });

  /** Most turns leave it as it is. */
  function setAlarm(dueMs: number, now: number): void {
    if (alarmAtMs === dueMs) return;
    alarmAtMs = dueMs;
    cancelAlarm();
    cancelAlarm = clock.after(Math.max(0, dueMs - now), () => {
      alarmAtMs = undefined;
      onAlarm();
    });
  }

  const errands: Errands = {
    seek() {
      seeking.want(new Set(tasksToSeek(record(), storeTime.now()).map((task) => task.id)));
    },
    run(pending) {
      const now = storeTime.now();
      const { tasks } = record();
      seeking.settle(
        (taskId) => pending.some((event) => event.kind === "granted" && event.taskId === taskId),
        (taskId, { agentId }) => {
          const task = tasks.find((candidate) => candidate.id === taskId);
          return task?.status === "assigned" && currentAssignment(task)?.agentId === agentId;
        },
      );
      errands.seek();
      for (const task of tasks) {
        const resend = former.has(`${task.id} ${attemptOf(task)}`);
        deliveries.track(task.id, deliveryOf(record(), task, resend));
      }
      setAlarm(nextDueMs(record(), now), now);
    },
    note(event) {
      if (event.kind === "result" || event.kind === "failure")
        answered.add(`${event.taskId} ${event.attempt}`);
    },
    accepted: deliveries.accepted,
    stop() {
      cancelAlarm();
      seeking.stop();
      deliveries.stop();
    },
  };
  return errands;
}

/** What has to reach an agent for this task, if it is assigned to one. */
function deliveryOf(record: ExecutionRecord, task: Task, resend: boolean): Delivery | undefined {
  const assignment = task.status === "assigned" ? currentAssignment(task) : undefined;
  if (!assignment) return undefined;
  const { pattern, definition, input, deadlineAtMs, traceparent } = record;
  const { agentId, nodeId } = assignment;
  const { capabilities } = definition;
  return {
    taskId: task.id,
    attempt: attemptOf(task),
    agentId,
    nodeId,
    pattern,
    capabilities,
    input,
    deadlineAtMs,
    traceparent,
    resend,
  };
}
