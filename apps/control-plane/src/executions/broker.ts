import type { Unsubscribe } from "@parallax/core";

/** An agent that is held for a task, and the node that it is connected to. */
export interface Grant {
  readonly agentId: string;
  readonly nodeId: string;
}

/** A task that wants an agent, anywhere in the cluster. */
export interface Seek {
  readonly taskId: string;
  readonly capabilities: readonly string[];
  /** Agents that it must not be given to; asked anew each time. */
  excluded(): ReadonlySet<string>;
  /** Called at most once; a grant that can't be used is given back with {@link Broker.release}. */
  onGranted(grant: Grant): void;
}

/** Finds agents for tasks: this node's own first, then those of other nodes. */
export interface Broker {
  /** Seeks until granted or withdrawn. The grant may come before `seek` returns. */
  seek(seek: Seek): Unsubscribe;
  /** Gives a granted agent back, unused. */
  release(taskId: string, grant: Grant): void;
}

/** A task on its way to the agent that was chosen and journaled for it. */
export interface Delivery {
  readonly taskId: string;
  readonly attempt: number;
  readonly agentId: string;
  /** Where the agent was when it was chosen. It may have moved; the courier finds out. */
  readonly nodeId: string;
  readonly pattern: string;
  readonly capabilities: readonly string[];
  readonly input: unknown;
  /** Store time of the execution's deadline, epoch ms. */
  readonly deadlineAtMs: number;
  /** Of its execution. */
  readonly traceparent?: string | undefined;
  /** It was sent before without being accepted: perhaps the agent has moved. */
  readonly resend: boolean;
}

/** Brings tasks to agents, wherever they are connected. Best effort: whoever sends watches for the acceptance. */
export interface Courier {
  deliver(delivery: Delivery): void;
  /** The task is not wanted any more: its execution has ended or another attempt answered. */
  cancel(task: Pick<Delivery, "taskId" | "attempt" | "agentId" | "nodeId">, reason: string): void;
}
