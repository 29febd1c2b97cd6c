import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import type { JournalChange } from "../../src/executions/journal.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import { createRemembered, type Remembered } from "../../src/executions/remembered.ts";
import { recordOf, taskOf } from "../support/records.ts";

/** The end of an execution, whose input has so many characters. */
function endOf(id: string, characters = 1): JournalChange {
  const before = recordOf(id, {
    status: "running",
    input: { text: "x".repeat(characters) },
    tasks: [
      taskOf(`${id}:0`, { status: "assigned", assignments: [{ agentId: "agent_1", nodeId: "node-0" }] }),
    ],
  });
  const { owner: _owner, ...rest } = before;
  const after: ExecutionRecord = { ...rest, status: "completed", result: [null, { a: "\ud800" }, 0.1] };
  const about = { taskId: `${id}:0`, attempt: 1, agentId: "agent_1", agentName: "a" };
  const letters = [{ kind: "result" as const, ...about, result: null }];
  return { id, owner: "node-0#a", version: 2, before, after, passed: ["aggregating", "completed"], letters };
}

describe("remembered ends", () => {
  let clock: VirtualClock;
  let remembered: Remembered;
  beforeEach(() => {
    clock = createVirtualClock();
    remembered = createRemembered(clock);
  });

  it("are what they were, the record before them and all letters included (X6)", () => {
    const end = endOf("exec_1");
    remembered.add(end);
    const found = remembered.get("exec_1");
    expect(found).toEqual(end);
    expect(found?.before.input, "what did not change is not written again").toBe(found?.after.input);
  });

  it("are kept for a minute", async () => {
    remembered.add(endOf("exec_1"));
    await clock.advance(30_000);
    remembered.add(endOf("exec_2"));
    await clock.advance(30_000);
    expect(remembered.ids).toEqual(["exec_2"]);
    expect(remembered.get("exec_1")).toBeUndefined();
  });

  it("are bounded: the oldest make room (S7)", () => {
    const half = 32 * 1024 * 1024;
    for (const id of ["exec_1", "exec_2", "exec_3"]) remembered.add(endOf(id, half - 10_000));
    expect(remembered.ids).toEqual(["exec_2", "exec_3"]);
  });
});
