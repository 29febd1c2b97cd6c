import { describe, expect, it } from "vitest";
import { parseTaskId, taskIdOf } from "../src/index.ts";

describe("a task's id", () => {
  it("names its execution and its place", () => {
    expect(taskIdOf("exec_abc123", 2)).toBe("exec_abc123:2");
    expect(parseTaskId("exec_abc123:2")).toEqual({ executionId: "exec_abc123", index: 2 });
  });

  it.each(["exec_abc123", "exec_abc123:", "exec_abc123:-1", "agent_a:1", ":1", "exec_a:1:2"])(
    "is not %s",
    (text) => {
      expect(parseTaskId(text)).toBeUndefined();
    },
  );
});
