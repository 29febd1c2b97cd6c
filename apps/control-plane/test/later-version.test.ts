import { patternDefinitionSchema, patternSchema, submitOptionsSchema } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { executionRecordSchema } from "../src/executions/record.ts";
import { nodeMessageSchema } from "../src/node-messages.ts";
import { patternRecordSchema } from "../src/patterns/registry.ts";

/** The value with fields that this version does not know, at every depth. */
function later(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(later);
  if (typeof value !== "object" || value === null) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([key, one]) => [key, later(one)])), later: 1 };
}

const definition = {
  name: "vote",
  capabilities: ["vote"],
  agents: { min: 1, max: 3 },
  timeout: "30s",
  retries: 1,
  aggregate: { strategy: "majority" },
};
const record = {
  status: "running",
  pattern: "vote",
  nodeId: "node-0",
  owner: "node-0#1",
  tasks: [
    {
      id: "exec_1:0",
      status: "assigned",
      assignments: [{ agentId: "agent_1", nodeId: "node-0" }],
      failures: 0,
    },
  ],
  createdAt: "2026-01-01T00:00:00Z",
  definition,
  deadlineAtMs: 1,
  adoptions: 0,
  requestDigest: "d",
  options: { timeout: "5s", retries: 2 },
};

describe("what a later version has written during a rolling upgrade", () => {
  it.each([
    ["an execution", executionRecordSchema, record],
    ["a pattern", patternRecordSchema, { hash: "h", updatedAt: "2026-01-01T00:00:00Z", definition }],
    ["a pattern in an answer", patternSchema, { ...definition, hash: "h" }],
    ["a message", nodeMessageSchema, { type: "accepted", from: "node-0", taskId: "exec_1:0", attempt: 1 }],
  ])("is read without what is not known here: %s", (_, schema, value) => {
    expect(schema.parse(later(value))).toEqual(value);
  });

  it.each([
    { strategy: "majority" },
    { strategy: "weighted", weights: { a: 2 } },
    { strategy: "quorum", quorum: 2 },
    { strategy: "first" },
    { strategy: "all" },
    { strategy: "mean", field: "score" },
    { strategy: "median" },
    { strategy: "best-confidence" },
    { strategy: "function", module: "merge.js", timeout: "1s" },
  ])("also how it aggregates: $strategy", (aggregate) => {
    const stored = { hash: "h", updatedAt: "2026-01-01T00:00:00Z", definition: { ...definition, aggregate } };
    const written = {
      ...stored,
      definition: { ...stored.definition, aggregate: { ...aggregate, later: 1 } },
    };
    expect(patternRecordSchema.parse(written)).toEqual(stored);
  });

  it("but who asks for what is not known here is refused", () => {
    for (const part of [definition, { ...definition, agents: later(definition.agents) }, later(definition)])
      expect(patternDefinitionSchema.safeParse(part).success).toBe(part === definition);
    expect(submitOptionsSchema.safeParse({ retries: 1, later: 1 }).success).toBe(false);
  });
});
