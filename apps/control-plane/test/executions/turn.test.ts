import { describe, expect, it } from "vitest";
import type { ExecutionRecord, Task } from "../../src/executions/record.ts";
import { mustBeWritten } from "../../src/executions/turn.ts";
import { recordOf, taskOf } from "../support/records.ts";

const id = "exec_1";
const assigned = taskOf(`${id}:0`, {
  status: "assigned",
  assignments: [{ agentId: "agent_0", nodeId: "node-0" }],
});
const written = recordOf(id, { status: "running", tasks: [assigned] });
/** Records are changed by copying: what has not changed is the same value. */
const withTask = (changes: Partial<Task>): ExecutionRecord => ({
  ...written,
  tasks: [{ ...assigned, ...changes }],
});

/** X3, X5: what only memory knows is written; what the inbox tells need not be. */
describe("a change", () => {
  it("is not written where the inbox tells it: a task has its result", () => {
    expect(mustBeWritten(written, withTask({ status: "completed" }))).toBe(false);
  });

  it("is not written where it is only that somebody drives it: until it is, no time counts", () => {
    const adopted = { ...written, ownerlessSinceMs: 1 };
    const { ownerlessSinceMs: _, ...driven } = { ...adopted, deadlineAtMs: written.deadlineAtMs + 5000 };
    expect(mustBeWritten(adopted, driven)).toBe(false);
    expect(mustBeWritten(adopted, { ...driven, status: "aggregating" })).toBe(true);
  });

  it.each<[string, ExecutionRecord]>([
    [
      "an assignment",
      withTask({ assignments: [...assigned.assignments, { agentId: "agent_1", nodeId: "n" }] }),
    ],
    [
      "an assignment, though the task has its result by now",
      withTask({
        status: "completed",
        assignments: [...assigned.assignments, { agentId: "agent_1", nodeId: "n" }],
      }),
    ],
    ["a failure, though the task has its result by now", withTask({ status: "completed", failures: 1 })],
    ["a task that waits again", withTask({ status: "waiting" })],
    ["another status", { ...written, status: "aggregating" }],
    ["another deadline", { ...written, deadlineAtMs: written.deadlineAtMs + 1 }],
  ])("is written: %s", (_, next) => {
    expect(mustBeWritten(written, next)).toBe(true);
  });
});
