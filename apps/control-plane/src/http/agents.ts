import { ParallaxError } from "@parallax/core";
import { type Agent, agentIdSchema, listAgentsQuerySchema } from "@parallax/protocol";
import type { Collection } from "@parallax/state-store";
import { Hono } from "hono";
import type { AgentRecord } from "../agents/record.ts";
import type { AppEnvironment } from "./app.ts";
import { check } from "./input.ts";

export interface AgentRoutesOptions {
  readonly agents: Collection<AgentRecord>;
  /** The tasks that an agent of this node holds. */
  readonly heldBy: (agentId: string) => readonly string[];
}

/** `/api/agents` */
export function agentRoutes({ agents, heldBy }: AgentRoutesOptions): Hono<AppEnvironment> {
  const routes = new Hono<AppEnvironment>();

  routes.get("/", async (context) => {
    const { limit, cursor, node, capability } = check(
      listAgentsQuerySchema,
      context.req.query(),
      "the query",
    );
    const page = await agents.list({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(node === undefined ? {} : { index: "nodeId", value: node }),
    });
    const matching = page.records.filter(
      ({ value }) => capability === undefined || value.capabilities.includes(capability),
    );
    return context.json({
      agents: matching.map(({ id, value }) => viewOf(id, value, heldBy(id))),
      ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
    });
  });

  routes.get("/:id", async (context) => {
    const id = check(agentIdSchema, context.req.param("id"), "the id of the agent");
    const stored = await agents.get(id);
    if (!stored)
      throw new ParallaxError(
        "agent_not_found",
        `reading agent ${id}: there is none, or no longer; check the id`,
      );
    return context.json(viewOf(id, stored.value, heldBy(id)));
  });

  return routes;
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
