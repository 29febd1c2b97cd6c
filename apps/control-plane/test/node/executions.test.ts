import { ParallaxError } from "@parallax/core";
import type { Execution } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gate } from "../support/gate.ts";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";

describe("executions on three nodes", () => {
  let nodes: LocalNodes;

  beforeEach(async () => {
    nodes = await startNodes(3);
    const { patterns } = nodes.client(0);
    await patterns.put(workPattern("one", { timeout: "20s" }));
    await patterns.put(workPattern("three", { agents: { min: 3, max: 3 }, timeout: "20s" }));
    await patterns.put(workPattern("retrying", { retries: 2, timeout: "20s" }));
  });
  afterEach(() => nodes.stop());

  const run = (pattern: string, input: unknown, at = 0): Promise<Execution> =>
    nodes.client(at).executions.run({ pattern, input, timeout: "20s" });
  const untilRunning = (id: string, at = 0): Promise<Execution> =>
    eventually(async () => {
      const found = await nodes.client(at).executions.get(id);
      return found.status === "running" && found;
    });
  const untilEnded = (id: string, at = 1): Promise<Execution> =>
    eventually(async () => {
      const found = await nodes.client(at).executions.get(id);
      return found.finishedAt !== undefined && found;
    });

  it("come to what most agents answer", async () => {
    for (const [index, answer] of ["yes", "no", "yes"].entries())
      await nodes.agent({ at: index, name: answer, handler: async () => ({ result: answer }) });
    const execution = await run("three", "?");
    expect(execution).toMatchObject({ status: "completed", result: "yes", attempts: 3 });
    expect(execution.tasks.map(({ result }) => result).sort()).toEqual(["no", "yes", "yes"]);
  });

  it("ask as many different agents as the pattern wants, however many places one has (X3)", async () => {
    for (const at of [0, 0, 2]) await nodes.agent({ at, slots: 10, handler: async () => ({ result: at }) });
    for (let round = 0; round < 10; round += 1) {
      const { tasks } = await run("three", round);
      expect(new Set(tasks.map(({ agentId }) => agentId)).size).toBe(3);
    }
  });

  it("find their agents on another node", async () => {
    const agent = await nodes.agent({ at: 2, handler: async ({ input }) => ({ result: `${input}!` }) });
    const execution = await run("one", "far", 0);
    expect(execution).toMatchObject({ status: "completed", result: "far!", nodeId: "node-0" });
    expect(execution.tasks[0]?.agentId).toBe(agent.agentId);
  });

  it("wait for an agent that comes later, on whichever node", async () => {
    const waiting = run("one", "late", 0);
    await eventually(
      async () => (await nodes.client(1).executions.list({ status: "pending" })).executions[0],
    );
    await nodes.agent({ at: 1, handler: async ({ input }) => ({ result: input }) });
    expect(await waiting).toMatchObject({ status: "completed", result: "late" });
  });

  it("share few agents without losing any, though all nodes ask for them at once", async () => {
    let atOnce = 0;
    let most = 0;
    const handler = async ({ input }: { readonly input: unknown }) => {
      most = Math.max(most, ++atOnce);
      // The first ones wait for each other: every place is taken at once.
      await eventually(() => most === 4);
      await new Promise((resolve) => setTimeout(resolve, 2));
      atOnce -= 1;
      return { result: input };
    };
    for (const at of [0, 1]) await nodes.agent({ at, slots: 2, handler });
    const inputs = Array.from({ length: 90 }, (_, index) => index);
    const executions = await Promise.all(inputs.map((input) => run("one", input, input % 3)));
    expect(executions.map(({ result }) => result)).toEqual(inputs);
    expect(most).toBe(4);
    const refused = executions.filter(({ attempts }) => attempts > 1);
    expect(refused.length, "agents are held for whom they were offered to").toBeLessThan(10);
  });

  it("try a failed task again as often as the pattern says, and then say why it failed", async () => {
    let attempts = 0;
    await nodes.agent({
      at: 1,
      handler: async ({ input, attempt }) => {
        attempts += 1;
        if (input === "never" || attempt <= 2) throw new Error(`attempt ${attempt} failed`);
        return { result: attempt };
      },
    });
    expect(await run("retrying", "third")).toMatchObject({ status: "completed", result: 3, attempts: 3 });
    attempts = 0;
    const failed = await run("retrying", "never");
    expect(attempts).toBe(3);
    expect(failed).toMatchObject({
      status: "failed",
      error: { code: "too_few_results", message: expect.stringContaining("attempt 3 failed") },
      tasks: [{ status: "failed", attempt: 3, error: { message: expect.any(String) } }],
    });
  });

  it("make no further attempt where the agent says that none can work", async () => {
    await nodes.agent({
      handler: () => {
        throw new ParallaxError("bad_input", "classifying: send text", { details: { retryable: false } });
      },
    });
    expect(await run("retrying", 1)).toMatchObject({ status: "failed", attempts: 1 });
  });

  it("complete with enough results when some agents fail", async () => {
    const pattern = workPattern("most", { agents: { min: 2, max: 3 }, aggregate: { strategy: "all" } });
    await nodes.client(0).patterns.put(pattern);
    for (const at of [0, 1, 2])
      await nodes.agent({
        at,
        handler: async () => {
          if (at === 1) throw new Error("broken");
          return { result: at };
        },
      });
    const { status, result, tasks } = await run("most", "?");
    expect(status).toBe("completed");
    expect([...(Array.isArray(result) ? result : [])].sort()).toEqual([0, 2]);
    expect(tasks.map((task) => task.status).sort()).toEqual(["completed", "completed", "failed"]);
  });

  it("end at their deadline, and tell the agents that nobody waits any more", async () => {
    await nodes.client(0).patterns.put(workPattern("short", { timeout: "200ms" }));
    const aborted = gate();
    await nodes.agent({
      at: 2,
      handler: async (_, { signal }) => {
        signal.addEventListener("abort", aborted.open);
        await aborted.opened;
        return { result: "too late" };
      },
    });
    expect(await run("short", "?")).toMatchObject({ status: "failed", error: { code: "timeout" } });
    await aborted.opened;
  });

  it("are cancelled from any node, and their agents on any other hear of it", async () => {
    const aborted = gate();
    await nodes.agent({
      at: 2,
      handler: async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        aborted.open();
        return { result: "unwanted" };
      },
    });
    const { id } = await nodes.client(0).executions.submit({ pattern: "one" });
    await untilRunning(id);
    expect(await nodes.client(1).executions.cancel(id)).toMatchObject({ status: "cancelled" });
    await aborted.opened;
  });

  it("cancel the others when the first result decides", async () => {
    const pattern = workPattern("race", { agents: { min: 1, max: 3 }, aggregate: { strategy: "first" } });
    await nodes.client(0).patterns.put(pattern);
    const aborted: number[] = [];
    for (const at of [0, 1, 2])
      await nodes.agent({
        at,
        handler: async (_, { signal }) => {
          if (at === 1) await new Promise((resolve) => setTimeout(resolve, 50));
          else await new Promise((resolve) => signal.addEventListener("abort", resolve));
          if (at !== 1) aborted.push(at);
          return { result: at };
        },
      });
    expect(await run("race", "?")).toMatchObject({ status: "completed", result: 1 });
    await eventually(() => aborted.length === 2);
  });

  it("whose agent leaves for good go to another at once", async () => {
    const hold = gate();
    const first = await nodes.agent({
      at: 2,
      handler: async () => {
        await hold.opened;
        return { result: "first" };
      },
    });
    const { id } = await nodes.client(0).executions.submit({ pattern: "one" });
    await untilRunning(id);
    await nodes.agent({ at: 1, handler: async () => ({ result: "second" }) });
    await first.stop({ timeout: 0 });
    hold.open();
    expect(await untilEnded(id)).toMatchObject({ status: "completed", result: "second", attempts: 2 });
  });

  it("whose agent moves to another node go on with it: its result counts, in the same attempt", async () => {
    const hold = gate();
    const agent = await nodes.agent({
      handler: async ({ attempt }) => {
        await hold.opened;
        return { result: `attempt ${attempt}` };
      },
    });
    const before = await nodes.client().agents.get(agent.agentId ?? "");
    const where = [0, 1, 2].findIndex((index) => nodes.node(index).id === before.nodeId);
    const elsewhere = (where + 1) % 3;
    const { id } = await nodes.client(elsewhere).executions.submit({ pattern: "one" });
    await untilRunning(id, elsewhere);
    const resumed = new Promise((resolve) => agent.on("resumed", resolve));
    const stopped = nodes.node(where).stop();
    await resumed;
    const after = await nodes.client(elsewhere).agents.get(before.id);
    expect(after.nodeId).not.toBe(before.nodeId);
    hold.open();
    expect(await untilEnded(id, elsewhere)).toMatchObject({
      status: "completed",
      result: "attempt 1",
      attempts: 1,
    });
    await stopped;
  });

  it("go on where their node drains away, and nothing is lost", async () => {
    const hold = gate();
    for (const at of [0, 1, 2])
      await nodes.agent({
        at: at === 0 ? 1 : at,
        slots: 20,
        handler: async ({ input }) => {
          await hold.opened;
          return { result: input };
        },
      });
    const inputs = Array.from({ length: 12 }, (_, index) => index);
    const accepted = await Promise.all(
      inputs.map((input) => nodes.client(0).executions.submit({ pattern: "three", input })),
    );
    await Promise.all(accepted.map(({ id }) => untilRunning(id)));
    const stopped = nodes.node(0).stop();
    await eventually(async () => {
      const { executions } = await nodes.client(1).executions.list({ node: "node-0" });
      return executions.length === 0;
    });
    hold.open();
    for (const [input, { id }] of accepted.entries()) {
      const found = await untilEnded(id);
      expect(found).toMatchObject({ status: "completed", result: input, attempts: 3 });
      expect(["node-1", "node-2"]).toContain(found.nodeId);
    }
    await stopped;
  });
});
