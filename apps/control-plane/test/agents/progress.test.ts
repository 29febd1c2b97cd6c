import { createVirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { createProgress, type Progress, type TaskProgress } from "../../src/agents/progress.ts";
import type { NodeMessage } from "../../src/node-messages.ts";

const about = (taskId: string, value = 0.5): TaskProgress => ({
  taskId,
  attempt: 1,
  agentId: "agent_1",
  value,
  message: undefined,
});

describe("progress of tasks", () => {
  const clock = createVirtualClock();
  let sent: { to: string; message: NodeMessage }[] = [];
  let nodes: Progress[] = [];

  beforeEach(() => {
    for (const node of nodes) node.stop();
    sent = [];
    const ids = ["node-0", "node-1", "node-2"];
    nodes = ids.map((nodeId) =>
      createProgress({
        nodeId,
        clock,
        peers: () => ids.filter((id) => id !== nodeId),
        send(to, message) {
          sent.push({ to, message });
          nodes[ids.indexOf(to)]?.receive(message);
        },
      }),
    );
  });

  function at(index: number): Progress {
    const node = nodes[index];
    if (!node) throw new Error("there is no such node");
    return node;
  }

  /** What a node's follower of an execution was told. */
  function following(index: number, executionId: string): { heard: TaskProgress[]; stop: () => void } {
    const heard: TaskProgress[] = [];
    return { heard, stop: at(index).follow(executionId, (progress) => heard.push(progress)) };
  }

  it("is told to whoever follows the execution, on the agent's node and on any other", async () => {
    const [here, there, other] = [following(0, "exec_1"), following(1, "exec_1"), following(1, "exec_2")];
    await clock.advance(20);
    at(0).report(about("exec_1:0"));
    expect(here.heard).toEqual([about("exec_1:0")]);
    expect(there.heard).toEqual([about("exec_1:0")]);
    expect(other.heard).toEqual([]);
  });

  it("goes nowhere as long as nobody follows", async () => {
    at(0).report(about("exec_1:0"));
    following(1, "exec_2");
    await clock.advance(20_000);
    at(0).report(about("exec_1:0"));
    expect(sent.filter(({ message }) => message.type === "progress")).toEqual([]);
  });

  it("goes on for as long as somebody follows, and not for long after that", async () => {
    const { heard, stop } = following(1, "exec_1");
    await clock.advance(60_000);
    at(0).report(about("exec_1:0"));
    expect(heard).toHaveLength(1);
    stop();
    await clock.advance(20_000);
    sent.length = 0;
    at(0).report(about("exec_1:0"));
    expect(heard).toHaveLength(1);
    expect(sent).toEqual([]);
  });

  it("is told at most twice a second of one task, and 200 times of all", async () => {
    const { heard } = following(1, "exec_1");
    await clock.advance(20);
    for (let time = 0; time < 100; time += 1) {
      at(0).report(about("exec_1:0"));
      await clock.advance(100);
    }
    expect(heard).toHaveLength(20);
    heard.length = 0;
    for (let time = 0; time < 100; time += 1) {
      for (let task = 0; task < 100; task += 1) at(0).report(about(`exec_1:${time * 100 + task}`));
      await clock.advance(100);
    }
    expect(heard.length).toBeGreaterThan(10 * 200);
    expect(heard.length).toBeLessThanOrEqual(10 * 200 + 200 + 1);
  });

  it("is told in few words what is followed, of however much that begins at once", async () => {
    for (let id = 0; id < 1000; id += 1) following(1, `exec_${id}`);
    await clock.advance(20);
    expect(sent.map(({ to }) => to)).toEqual(["node-0", "node-2"]);
    expect(JSON.stringify(sent[0]).length).toBeLessThan(4096);
  });
});
