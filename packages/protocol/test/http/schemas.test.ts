import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Agent, Execution, HaMember, HaStatus, Task } from "../../src/index.ts";
import * as protocol from "../../src/index.ts";

const at = "2024-01-15T10:30:00.000Z";
const error = {
  code: "timeout",
  message: "running the execution: raise its time limit",
  details: { limitMs: 1 },
};

const task: Required<Task> = {
  id: "exec_a:0",
  status: "completed",
  attempt: 1,
  agentId: "agent_a",
  result: null,
  confidence: 1,
  error,
};

const execution: Required<Execution> = {
  id: "exec_a",
  status: "completed",
  pattern: "content-classifier",
  input: { content: "text" },
  result: "MIT",
  error,
  nodeId: "node-1",
  attempts: 3,
  tasks: [task],
  createdAt: at,
  startedAt: at,
  finishedAt: at,
  retryOf: "exec_b",
  redisKey: "parallax:execution:exec_a",
};

const agent: Required<Agent> = {
  id: "agent_a",
  name: "classifier",
  status: "disconnected",
  nodeId: "node-1",
  capabilities: ["classification"],
  maxConcurrentTasks: 1,
  tasks: ["exec_a:0"],
  metadata: {},
  connectedAt: at,
  disconnectedAt: at,
};

const member: Required<HaMember> = {
  id: "node-1",
  address: "10.0.0.1:8080",
  role: "leader",
  status: "healthy",
  lastHeartbeat: at,
  suspected: false,
  incarnation: "inc",
  zone: "a",
  term: 5,
};

const status: Required<HaStatus> = {
  clusterId: "production",
  members: [member],
  observedAt: at,
  nodeId: "node-1",
  enabled: true,
};

describe("what a node answers", () => {
  it.each([
    ["an execution", protocol.executionSchema, execution],
    ["an agent", protocol.agentSchema, agent],
    ["the cluster's status", protocol.haStatusSchema, status],
    [
      "a change of leader",
      protocol.leaderChangeSchema,
      { oldLeader: "node-1", newLeader: null, tookMs: 12.5 },
    ],
    ["an error", protocol.errorBodySchema, { error, requestId: "r" }],
    ["a page", protocol.executionPageSchema, { executions: [execution], cursor: "next" }],
  ] as const)("is read with every field: %s", (_, schema, value) => {
    expect(schema.parse(value)).toEqual(value);
  });

  it("is read with fields of a later version", () => {
    expect(protocol.executionSchema.parse({ ...execution, later: 1 })).toEqual(execution);
  });

  it("is read from an execution that has only begun", () => {
    const { result, error: _, startedAt, finishedAt, retryOf, redisKey, ...begun } = execution;
    expect(protocol.executionSchema.parse(begun)).toEqual(begun);
  });
});

describe("a submission", () => {
  it("needs no more than a pattern", () => {
    expect(protocol.submitExecutionSchema.parse({ pattern: "p" })).toEqual({
      pattern: "p",
      input: null,
      options: {},
    });
  });

  it("is refused with an option that is misspelt", () => {
    expect(
      protocol.submitExecutionSchema.safeParse({ pattern: "p", options: { timout: "1s" } }).success,
    ).toBe(false);
  });
});

describe("a pattern", () => {
  const written = {
    name: "content-classifier",
    capabilities: ["classification"],
    agents: { min: 3, max: 3 },
    timeout: "30s",
    retries: 2,
    aggregate: { strategy: "majority" },
  };

  it("is read as it is written", () => {
    expect(protocol.patternDefinitionSchema.parse(written)).toEqual(written);
  });

  it("asks one agent once unless it says more", () => {
    expect(
      protocol.patternDefinitionSchema.parse({
        name: "p",
        capabilities: ["a"],
        aggregate: { strategy: "first" },
      }),
    ).toMatchObject({ agents: { min: 1, max: 1 }, retries: 0 });
  });

  it.each([
    { strategy: "majority" },
    { strategy: "weighted", weights: { senior: 2 } },
    { strategy: "quorum", quorum: 2 },
    { strategy: "first" },
    { strategy: "all" },
    { strategy: "mean", field: "score" },
    { strategy: "median" },
    { strategy: "best-confidence" },
    { strategy: "function", module: "merge/labels.js", timeout: "1s" },
  ])("aggregates by $strategy", (aggregate) => {
    expect(protocol.patternDefinitionSchema.parse({ ...written, aggregate }).aggregate).toEqual(aggregate);
  });

  it.each([
    ["a minimum above its maximum", { agents: { min: 3, max: 2 } }],
    ["a quorum that cannot be had", { aggregate: { strategy: "quorum", quorum: 4 } }],
    ["an unknown strategy", { aggregate: { strategy: "best" } }],
    ["a module outside its directory", { aggregate: { strategy: "function", module: "../x.js" } }],
    ["a duration that is none", { timeout: "30 parsecs" }],
    ["no capability", { capabilities: [] }],
    ["an unknown key", { retry: 1 }],
    ["a name that is no path segment", { name: "a/b" }],
  ])("is refused with %s", (_, wrong) => {
    expect(protocol.patternDefinitionSchema.safeParse({ ...written, ...wrong }).success).toBe(false);
  });
});

describe("a server-sent event", () => {
  const event = { topic: "cluster", type: "leader-elected", at, nodeId: "node-1", term: 5 } as const;
  const read = (name: string, value: unknown): unknown =>
    protocol.parseStreamEvent({ name, id: "7", data: JSON.stringify(value) });

  it("is an event, a gap or a snapshot", () => {
    expect(read("event", event)).toEqual({ kind: "event", event, cursor: "7" });
    const gap = { topic: "execution", reason: "trimmed" };
    expect(read("gap", gap)).toEqual({ kind: "gap", gap, cursor: "7" });
    expect(read("snapshot", execution)).toEqual({ kind: "snapshot", execution, cursor: "7" });
  });

  it("of an unknown kind or form is nothing", () => {
    expect(read("later", event)).toBeUndefined();
    expect(read("event", { type: "x" })).toBeUndefined();
    expect(protocol.parseStreamEvent({ name: "event", id: "", data: "{" })).toBeUndefined();
  });
});

describe("every schema", () => {
  const exported: Readonly<Record<string, unknown>> = protocol;
  const schemas = Object.entries(exported).filter(
    (entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType,
  );

  it.each(schemas)("can be written as JSON Schema: %s", (_, schema) => {
    expect(() => z.toJSONSchema(schema, { io: "input" })).not.toThrow();
  });

  it("has a name of its own, if it has one", () => {
    const ids = schemas.flatMap(([, schema]) => schema.meta()?.id ?? []);
    expect(ids.length).toBeGreaterThan(15);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
