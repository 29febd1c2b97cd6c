import { executionSchema } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import type { Letter } from "../../src/executions/inbox.ts";
import { viewOf } from "../../src/executions/view.ts";
import { definitionOf, recordOf, taskOf } from "../support/records.ts";

const assigned = (agentId: string) => ({ agentId, nodeId: "node-0" });
const result = (attempt: number, agentId: string): Letter => ({
  kind: "result",
  taskId: "exec_1:0",
  attempt,
  agentId,
  agentName: "a",
  result: "r",
  confidence: 0.5,
});

describe("an execution as the API shows it", () => {
  it("has the contract's fields, and none without a value", () => {
    const view = viewOf("exec_1", recordOf("exec_1"));
    expect(executionSchema.parse(view)).toEqual(view);
    expect(Object.keys(view)).toEqual([
      "id",
      "status",
      "pattern",
      "input",
      "nodeId",
      "attempts",
      "tasks",
      "createdAt",
    ]);
    expect(view.tasks).toEqual([{ id: "exec_1:0", status: "pending", attempt: 0 }]);
  });

  it("counts all attempts, and shows the agent whose result counted, of whatever attempt (X4)", () => {
    const task = taskOf("exec_1:0", {
      status: "completed",
      assignments: [assigned("agent_1"), assigned("agent_2")],
    });
    const view = viewOf("exec_1", recordOf("exec_1", { tasks: [task] }), [result(1, "agent_1")]);
    expect(view.attempts).toBe(2);
    expect(view.tasks).toEqual([
      { id: "exec_1:0", status: "completed", attempt: 1, agentId: "agent_1", result: "r", confidence: 0.5 },
    ]);
  });

  it("shows no result of a task that it did not count", () => {
    const task = taskOf("exec_1:0", { status: "cancelled", assignments: [assigned("agent_1")] });
    const [shown] = viewOf("exec_1", recordOf("exec_1", { tasks: [task] }), [result(1, "agent_1")]).tasks;
    expect(shown).toEqual({ id: "exec_1:0", status: "cancelled", attempt: 1, agentId: "agent_1" });
  });

  it("shows how it ended", () => {
    const error = { code: "timeout", message: "m" };
    const record = recordOf("exec_1", {
      status: "failed",
      error,
      startedAt: "2026-01-01T00:00:01.000Z",
      finishedAt: "2026-01-01T00:00:02.000Z",
      retryOf: "exec_0",
      input: null,
      definition: definitionOf(),
    });
    expect(executionSchema.parse(viewOf("exec_1", record))).toMatchObject({
      status: "failed",
      error,
      input: null,
      startedAt: "2026-01-01T00:00:01.000Z",
      finishedAt: "2026-01-01T00:00:02.000Z",
      retryOf: "exec_0",
    });
  });

  it("shows a result that is null as one", () => {
    expect(viewOf("exec_1", recordOf("exec_1", { status: "completed", result: null }))).toHaveProperty(
      "result",
      null,
    );
  });
});
