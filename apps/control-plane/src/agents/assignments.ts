import type { CancelTimer, Clock } from "@parallax/core";

export interface AssignmentsOptions {
  readonly clock: Clock;
  /** How long an agent may take to come back with its tasks, in ms. */
  readonly reconnectGraceMs: number;
  /** Where the agent is now, by its session: undefined if it is connected nowhere. Rejects if nobody knows. */
  readonly whereIs: (agentId: string) => Promise<string | undefined>;
  /** The agent is gone for good, and its attempt with it. */
  readonly onLost: (taskId: string, attempt: number) => void;
  /** It could not be seen whether an agent is back. */
  readonly onUnknown: (agentId: string, error: unknown) => void;
}

/**
 * Which attempts were given to the agents of this node. An agent can say something only about its own; and when it is gone
 * for longer than the grace, and is on no other node either, they are lost.
 */
export interface Assignments {
  give(agentId: string, taskId: string, attempt: number): void;
  /** Whether this very attempt was given to this agent. */
  has(agentId: string, taskId: string, attempt: number): boolean;
  /** The same, where the agent says that it works on it: false as well when it has said so since it was given it last. */
  accept(agentId: string, taskId: string, attempt: number): boolean;
  /** It is answered, refused or not wanted any more. */
  settle(agentId: string, taskId: string): void;
  tasksOf(agentId: string): readonly string[];
  /** The agent's connection is lost: waits for it to come back. */
  await(agentId: string): void;
  /** The agent is back. What it was given and does not know of, by `knows`, never reached it, or was lost with its socket. */
  returned(agentId: string, knows: (taskId: string) => boolean): void;
  /** The agent has left for good. */
  giveUp(agentId: string): void;
  /** No timer is left, nor anything that would start one. */
  stop(): void;
}

interface Given {
  readonly attempt: number;
  isAccepted: boolean;
}

export function createAssignments(options: AssignmentsOptions): Assignments {
  const { clock, reconnectGraceMs, whereIs, onLost, onUnknown } = options;
  /** By agent and task. */
  const given = new Map<string, Map<string, Given>>();
  const waits = new Map<string, CancelTimer>();
  let stopped = false;

  function giveUp(agentId: string): void {
    const tasks = given.get(agentId);
    given.delete(agentId);
    for (const [taskId, { attempt }] of tasks ?? []) onLost(taskId, attempt);
  }

  function wait(agentId: string): void {
    if (stopped || !given.has(agentId)) return;
    waits.get(agentId)?.();
    const cancel = clock.after(reconnectGraceMs, () => {
      look(agentId, cancel).catch((error: unknown) => {
        if (waits.get(agentId) !== cancel) return;
        onUnknown(agentId, error);
        wait(agentId);
      });
    });
    waits.set(agentId, cancel);
  }

  /** The grace is over, unless the agent is back here, or its session says that another node has it. */
  async function look(agentId: string, waited: CancelTimer): Promise<void> {
    const place = await whereIs(agentId);
    if (waits.get(agentId) !== waited) return;
    waits.delete(agentId);
    if (place === undefined) giveUp(agentId);
    else given.delete(agentId);
  }

  return {
    give(agentId, taskId, attempt) {
      const tasks = given.get(agentId) ?? new Map<string, Given>();
      given.set(agentId, tasks.set(taskId, { attempt, isAccepted: false }));
    },
    has: (agentId, taskId, attempt) => given.get(agentId)?.get(taskId)?.attempt === attempt,
    accept(agentId, taskId, attempt) {
      const task = given.get(agentId)?.get(taskId);
      if (task?.attempt !== attempt || task.isAccepted) return false;
      task.isAccepted = true;
      return true;
    },
    settle(agentId, taskId) {
      const tasks = given.get(agentId);
      if (tasks?.delete(taskId) && tasks.size === 0) given.delete(agentId);
    },
    tasksOf: (agentId) => [...(given.get(agentId)?.keys() ?? [])],
    await: wait,
    returned(agentId, knows) {
      waits.get(agentId)?.();
      waits.delete(agentId);
      for (const [taskId, { attempt }] of [...(given.get(agentId) ?? [])]) {
        if (knows(taskId)) continue;
        this.settle(agentId, taskId);
        onLost(taskId, attempt);
      }
    },
    giveUp,
    stop() {
      stopped = true;
      for (const cancel of waits.values()) cancel();
      waits.clear();
    },
  };
}
