import type { Unsubscribe } from "@parallax/core";
import type { Broker, Grant } from "./broker.ts";

export interface SeekingOptions {
  readonly broker: Broker;
  readonly capabilities: readonly string[];
  /** Agents that the task must not be given to, as the record says. */
  readonly excluded: (taskId: string) => ReadonlySet<string>;
  readonly onGranted: (taskId: string, grant: Grant) => void;
}

/** The search of one execution for agents: what is sought, and what is held and not yet in the journal. */
export interface Seeking {
  /** Seeks for these tasks and for no others. */
  want(taskIds: ReadonlySet<string>): void;
  /** Settles the grants that a turn has taken note of: what `isUsed` does not know of goes back. */
  settle(isPending: (taskId: string) => boolean, isUsed: (taskId: string, grant: Grant) => boolean): void;
  stop(): void;
}

export function createSeeking({ broker, capabilities, excluded, onGranted }: SeekingOptions): Seeking {
  const seeks = new Map<string, Unsubscribe>();
  const grants = new Map<string, Grant>();
  let stopped = false;

  /** Neither what the record excludes nor what is held for another task of the same execution (X3). */
  function excludedNow(taskId: string): ReadonlySet<string> {
    const held = [...grants].filter(([other]) => other !== taskId).map(([, grant]) => grant.agentId);
    return new Set([...excluded(taskId), ...held]);
  }

  function seek(taskId: string): void {
    // The grant may come before `seek` returns.
    seeks.set(taskId, () => {});
    const withdraw = broker.seek({
      taskId,
      capabilities,
      excluded: () => excludedNow(taskId),
      onGranted(grant) {
        if (stopped || grants.has(taskId)) {
          broker.release(taskId, grant);
          return;
        }
        grants.set(taskId, grant);
        onGranted(taskId, grant);
      },
    });
    if (seeks.has(taskId)) seeks.set(taskId, withdraw);
    else withdraw();
  }

  function giveUp(taskId: string): void {
    seeks.get(taskId)?.();
    seeks.delete(taskId);
  }

  return {
    want(taskIds) {
      for (const taskId of [...seeks.keys()]) if (!taskIds.has(taskId)) giveUp(taskId);
      for (const taskId of taskIds) if (!seeks.has(taskId)) seek(taskId);
    },
    settle(isPending, isUsed) {
      for (const [taskId, grant] of grants) {
        if (isPending(taskId)) continue;
        if (!isUsed(taskId, grant)) broker.release(taskId, grant);
        grants.delete(taskId);
        giveUp(taskId);
      }
    },
    stop() {
      stopped = true;
      for (const taskId of [...seeks.keys()]) giveUp(taskId);
      for (const [taskId, grant] of grants) broker.release(taskId, grant);
      grants.clear();
    },
  };
}
