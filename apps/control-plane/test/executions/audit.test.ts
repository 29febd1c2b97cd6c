import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExecutionEvent } from "../../src/executions/advance.ts";
import { auditAgents } from "../../src/executions/audit.ts";
import { createStoreTime } from "../../src/store-time.ts";
import { openTestStore, recordOf, type TestStore, taskOf } from "../support/records.ts";

const id = "exec_1";
const graceMs = 5000;

/** X8: an agent whose node died with it is noticed, and its attempt costs nothing. */
describe("agents that are gone for good, though nobody said so", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let told: ExecutionEvent[];
  /** Agents that are connected to the node that looks. */
  let here: string[];

  beforeEach(() => {
    clock = createVirtualClock();
    at = openTestStore(clock);
    [told, here] = [[], []];
  });
  afterEach(() => at.close());

  async function session(agentId: string, status: "connected" | "away"): Promise<void> {
    const about = { nodeId: "node-1", name: agentId, capabilities: ["c"], connectedAt: "", metadata: {} };
    await at.collections.agents.create(agentId, { ...about, status, maxConcurrentTasks: 1, connection: 1 });
  }

  /** Looks on behalf of an execution whose tasks were given to these agents. */
  async function look(...agentIds: string[]): Promise<void> {
    const assigned = agentIds.map((agentId, index) =>
      taskOf(`${id}:${index}`, { status: "assigned", assignments: [{ agentId, nodeId: "node-1" }] }),
    );
    const record = recordOf(id, { status: "running", tasks: [...assigned, taskOf(`${id}:9`)] });
    await auditAgents([{ record: () => record, push: (event) => told.push(event) }], {
      agents: at.collections.agents,
      storeTime: createStoreTime(clock, await at.store.time()),
      isHere: (agentId) => here.includes(agentId),
      reconnectGraceMs: graceMs,
    });
  }

  it("are those without a session, and their attempts are lost without having failed", async () => {
    await session("agent_1", "connected");
    await look("agent_0", "agent_1");
    expect(told).toEqual([{ kind: "lost", taskId: `${id}:0`, attempt: 1, refused: false }]);
  });

  it("are those who are away for longer than they may take to come back", async () => {
    await session("agent_0", "away");
    await clock.advance(graceMs - 1);
    await look("agent_0");
    expect(told).toEqual([]);
    await clock.advance(1);
    await look("agent_0");
    expect(told).toHaveLength(1);
  });

  it("are none of this node's own, who report for themselves", async () => {
    here = ["agent_0"];
    await look("agent_0");
    expect(told).toEqual([]);
  });
});
