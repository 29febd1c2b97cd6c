import type { Collection } from "@parallax/state-store";
import type { AgentRecord } from "../agents/record.ts";
import type { StoreTime } from "../store-time.ts";
import type { Driver } from "./driver.ts";
import { attemptOf, currentAssignment } from "./record.ts";

export interface AuditOptions {
  readonly agents: Pick<Collection<AgentRecord>, "getMany">;
  readonly storeTime: Pick<StoreTime, "now">;
  /** Agents of this node report for themselves. */
  readonly isHere: (agentId: string) => boolean;
  readonly reconnectGraceMs: number;
}

/**
 * Finds the tasks whose agents are gone for good though nobody said so: their node died with them. An agent's session tells:
 * it has expired, or is away for longer than it may take to come back. Both times are the store's (T2).
 */
export async function auditAgents(
  drivers: Iterable<Pick<Driver, "record" | "push">>,
  options: AuditOptions,
): Promise<void> {
  const { agents, storeTime, isHere, reconnectGraceMs } = options;
  const assigned = [...drivers].flatMap((driver) =>
    driver.record().tasks.flatMap((task) => {
      const agentId = task.status === "assigned" ? currentAssignment(task)?.agentId : undefined;
      return agentId === undefined || isHere(agentId)
        ? []
        : [{ driver, taskId: task.id, attempt: attemptOf(task), agentId }];
    }),
  );
  const agentIds = [...new Set(assigned.map(({ agentId }) => agentId))];
  const sessions = await agents.getMany(agentIds);
  const gone = new Set(
    agentIds.filter((_, index) => {
      const session = sessions[index];
      return (
        !session ||
        (session.value.status === "away" && storeTime.now() - session.updatedAtMs >= reconnectGraceMs)
      );
    }),
  );
  for (const { driver, taskId, attempt, agentId } of assigned) {
    if (gone.has(agentId)) driver.push({ kind: "lost", taskId, attempt, refused: false });
  }
}
