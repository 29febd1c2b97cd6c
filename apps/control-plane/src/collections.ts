import type { Collection, StateStore } from "@parallax/state-store";
import { type AgentRecord, agentRecordSchema } from "./agents/record.ts";
import { type SecretRecord, secretRecordSchema } from "./agents/resume-tokens.ts";
import { type ExecutionRecord, executionRecordSchema, final } from "./executions/record.ts";
import { type PatternRecord, patternRecordSchema } from "./patterns/registry.ts";

/** What a control plane stores. */
export interface Collections {
  readonly executions: Collection<ExecutionRecord>;
  readonly agents: Collection<AgentRecord>;
  readonly patterns: Collection<PatternRecord>;
  /** What the nodes sign with. */
  readonly secrets: Collection<SecretRecord>;
}

export function openCollections(store: StateStore): Collections {
  return {
    executions: store.collection({
      name: "execution",
      schema: executionRecordSchema,
      // Made here, from requests and frames that were checked when they came in.
      trusted: true,
      indexes: ["status", "owner", "nodeId", "pattern"],
      final,
      topic: "execution",
    }),
    agents: store.collection({
      name: "agent",
      schema: agentRecordSchema,
      indexes: ["nodeId", "owner"],
      topic: "agent",
    }),
    patterns: store.collection({ name: "pattern", schema: patternRecordSchema, topic: "pattern" }),
    secrets: store.collection({ name: "secret", schema: secretRecordSchema }),
  };
}
