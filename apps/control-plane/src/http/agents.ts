import { ParallaxError } from "@parallax/core";
import { type Agent, getAgent, listAgents } from "@parallax/protocol";
import type { Collection } from "@parallax/state-store";
import type { AgentRecord } from "../agents/record.ts";
import { listPage } from "./pages.ts";
import type { Router } from "./route.ts";

export interface AgentRoutesOptions {
  readonly agents: Collection<AgentRecord>;
  /** The tasks that an agent of this node holds. */
  readonly heldBy: (agentId: string) => readonly string[];
}

/** `/api/agents` */
export function addAgentRoutes(router: Router, { agents, heldBy }: AgentRoutesOptions): void {
  router.add(listAgents, async ({ query }) => {
    const { node, capability } = query;
    const { items, cursor } = await listPage(query, async (page) => {
      const { records, cursor } = await agents.list({
        ...page,
        ...(node === undefined ? {} : { index: "nodeId", value: node }),
      });
      const items = records
        .filter(({ value }) => capability === undefined || value.capabilities.includes(capability))
        .map(({ id, value }) => viewOf(id, value, heldBy(id)));
      return { items, cursor };
    });
    return { agents: items, ...(cursor === undefined ? {} : { cursor }) };
  });

  router.add(getAgent, async ({ params: { id } }) => {
    const stored = await agents.get(id);
    if (!stored)
      throw new ParallaxError(
        "agent_not_found",
        `reading agent ${id}: there is none, or no longer; check the id`,
      );
    return viewOf(id, stored.value, heldBy(id));
  });
}

function viewOf(id: string, record: AgentRecord, tasks: readonly string[]): Agent {
  const { name, nodeId, capabilities, maxConcurrentTasks, metadata, connectedAt, awayAt } = record;
  return {
    id,
    name,
    status: record.status === "away" ? "disconnected" : "connected",
    nodeId,
    capabilities,
    maxConcurrentTasks,
    tasks,
    metadata,
    connectedAt,
    ...(awayAt === undefined ? {} : { disconnectedAt: awayAt }),
  };
}
