import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../support/gate.ts";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { hello, openSocket } from "../support/sockets.ts";

describe("an agent", () => {
  let nodes: LocalNodes;

  beforeEach(async () => {
    nodes = await startNodes(2);
    await nodes.client(0).patterns.put(workPattern("patient", { timeout: "120s" }));
    await nodes.client(0).patterns.put(workPattern("short", { timeout: "300ms" }));
  });
  afterEach(() => nodes.stop());

  const submit = (pattern: string): Promise<{ id: string }> => nodes.client(0).executions.submit({ pattern });
  const ended = (id: string, timeoutMs = 10_000) =>
    eventually(
      async () => {
        const execution = await nodes.client(0).executions.get(id);
        return execution.finishedAt !== undefined && execution;
      },
      { message: `${id} to end`, timeoutMs },
    );

  it("whose handler hangs holds up no execution past its deadline, and keeps its place until it returns", async () => {
    const hold = gate();
    let calls = 0;
    await nodes.agent({
      at: 0,
      handler: async () => {
        calls += 1;
        if (calls === 1) await hold.opened;
        return { result: calls };
      },
    });
    const first = await submit("short");
    expect(await ended(first.id)).toMatchObject({ status: "failed", error: { code: "timeout" } });
    const second = await submit("short");
    expect(await ended(second.id)).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(calls, "the place is taken").toBe(1);
    const third = await submit("patient");
    hold.open();
    expect(await ended(third.id)).toMatchObject({ status: "completed", result: 2 });
  });

  it("that blocks its event loop is cut off after 25 s, and its task goes to another one", async () => {
    const blocked = await openSocket(nodes.node(0).url);
    blocked.send(hello({ capabilities: ["work"] }));
    await blocked.next("welcome");
    const { id } = await submit("patient");
    const { taskId, executionId, attempt } = await blocked.next("task");
    blocked.send({ type: "accept", taskId, executionId, attempt });
    await eventually(async () => (await nodes.client(0).executions.get(id)).status === "running");
    blocked.pause();
    await nodes.agent({ at: 1, name: "good", handler: async () => ({ result: "of another" }) });
    const execution = await ended(id, 60_000);
    expect(execution).toMatchObject({ status: "completed", result: "of another", attempts: 2 });
    blocked.resume();
    expect(await blocked.closed).toBe(1006);
  }, 90_000);
});
