import { z } from "zod";
import { agentIdSchema, taskIdSchema } from "../ids.ts";
import type { ObjectSchema } from "../object-schema.ts";
import { capabilitiesSchema, capabilitySchema, timestampSchema } from "../scalars.ts";
import { cursorSchema, type PageQuery, pageQuerySchema } from "./page.ts";

/** A session of an agent. */
export interface Agent {
  readonly id: string;
  readonly name: string;
  /** `disconnected`: its connection is lost, and the session waits to be resumed. */
  readonly status: "connected" | "disconnected" | "draining";
  /** The node that holds its socket, or held it last. */
  readonly nodeId: string;
  readonly capabilities: readonly string[];
  readonly maxConcurrentTasks: number;
  /** The tasks it holds, where the node that answers has its socket; else none. */
  readonly tasks: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly connectedAt: string;
  readonly disconnectedAt?: string | undefined;
}

/** Checks an {@link Agent}. */
export const agentSchema: ObjectSchema<Agent> = z
  .object({
    id: agentIdSchema,
    name: z.string(),
    status: z.enum(["connected", "disconnected", "draining"]),
    nodeId: z.string().meta({ description: "The node that holds its socket, or held it last." }),
    capabilities: capabilitiesSchema,
    maxConcurrentTasks: z.int().min(1),
    tasks: z.array(taskIdSchema).meta({
      description: "The tasks it holds, where the node that answers has its socket (nodeId); else none.",
    }),
    metadata: z.record(z.string(), z.unknown()),
    connectedAt: timestampSchema,
    disconnectedAt: timestampSchema.optional(),
  })
  .meta({ id: "Agent", description: "A session of an agent." });

/** The query of `GET /api/agents`. */
export interface ListAgentsQuery extends PageQuery {
  readonly capability?: string | undefined;
  /** The id of the node that holds their sockets. */
  readonly node?: string | undefined;
}

/** Checks a {@link ListAgentsQuery}. */
export const listAgentsQuerySchema: ObjectSchema<ListAgentsQuery> = z.strictObject({
  ...pageQuerySchema.shape,
  capability: capabilitySchema.optional(),
  node: z.string().min(1).max(256).optional(),
});

/** The newest session first. */
export interface AgentPage {
  readonly agents: readonly Agent[];
  readonly cursor?: string | undefined;
}

/** Checks an {@link AgentPage}. */
export const agentPageSchema: ObjectSchema<AgentPage> = z
  .object({ agents: z.array(agentSchema), cursor: cursorSchema().optional() })
  .meta({ id: "AgentPage" });
