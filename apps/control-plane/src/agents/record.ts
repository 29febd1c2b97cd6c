import { z } from "zod";

/** An agent's session as stored. The first three fields are what an operator looks for. */
export const agentRecordSchema = z.object({
  /** The node that it is, or was last, connected to. */
  nodeId: z.string(),
  capabilities: z.array(z.string()),
  connectedAt: z.string(),
  name: z.string(),
  /** `away` from the loss of its connection until it comes back or its session expires. */
  status: z.enum(["connected", "away"]),
  awayAt: z.string().optional(),
  /** The process that holds its connection: what an ended one leaves behind is put `away` by the leader. */
  owner: z.string().optional(),
  maxConcurrentTasks: z.number().int(),
  metadata: z.record(z.string(), z.unknown()),
  /** The agent's own connection counter: only a higher one takes the session over (X10). */
  connection: z.number().int(),
});

export type AgentRecord = z.infer<typeof agentRecordSchema>;
