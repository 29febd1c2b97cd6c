import { noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentRecord } from "../../src/agents/record.ts";
import { collectionDuty, sessionDuty } from "../../src/duties/housekeeping.ts";
import { openTestStore, recordOf, startMs, type TestStore } from "../support/records.ts";
import { testTerm } from "../support/terms.ts";

let clock: VirtualClock;
let at: TestStore;
beforeEach(() => {
  clock = createVirtualClock({ startWallMs: startMs });
  at = openTestStore(clock);
});
afterEach(() => at.close());

describe("garbage collection", () => {
  const collect = (maxFinished: number): Promise<void> => {
    const { executions, agents, patterns } = at.collections;
    const collections = [executions, agents, patterns];
    return collectionDuty({ collections, executions, maxFinished, logger: noopLogger }).run(testTerm(1));
  };

  async function finished(id: string, expiresInMs: number): Promise<void> {
    const { owner: _owner, ...record } = recordOf(id, { status: "completed" });
    await at.collections.executions.create(id, record, { expiresInMs });
  }
  const left = async (): Promise<string[]> =>
    (await at.collections.executions.list()).records.map(({ id }) => id).sort();

  it("removes what has expired, however much it is, and nothing else (S4)", async () => {
    for (let index = 0; index < 450; index += 1) await finished(`exec_old${index}`, 1000);
    await finished("exec_young", 60_000);
    await at.collections.executions.create("exec_open", recordOf("exec_open"));
    await clock.advance(1001);
    await collect(1_000_000);
    expect(await left()).toEqual(["exec_open", "exec_young"]);
  });

  it("removes the oldest finished executions beyond the number that is kept, and no open one (S7)", async () => {
    for (const id of ["exec_a", "exec_b", "exec_c"]) {
      await finished(id, 60_000);
      await clock.advance(10);
    }
    await at.collections.executions.create("exec_open", recordOf("exec_open"));
    await collect(2);
    expect(await left()).toEqual(["exec_b", "exec_c", "exec_open"]);
  });

  it("stops between two steps when its term ends", async () => {
    for (let index = 0; index < 450; index += 1) await finished(`exec_old${index}`, 1000);
    await clock.advance(1001);
    const term = testTerm(1);
    const { executions } = at.collections;
    const stopping = {
      ...executions,
      collectExpired: (options: Parameters<typeof executions.collectExpired>[0]) => {
        term.end();
        return executions.collectExpired(options);
      },
    };
    const options = { executions: stopping, maxFinished: 10, logger: noopLogger };
    await collectionDuty({ ...options, collections: [stopping] }).run(term);
    expect((await at.collections.executions.count()) > 0).toBe(true);
  });
});

describe("the clean-up of sessions", () => {
  const session: AgentRecord = {
    nodeId: "node-1",
    capabilities: ["c"],
    connectedAt: new Date(startMs).toISOString(),
    name: "agent",
    status: "connected",
    owner: "node-1#b",
    maxConcurrentTasks: 1,
    metadata: {},
    connection: 3,
  };
  const cleanUp = (ended: readonly string[]): Promise<void> =>
    sessionDuty({
      agents: at.collections.agents,
      ownerCheck: { hasEnded: async (owner) => ended.includes(owner) },
      graceMs: 30_000,
      now: () => startMs,
    }).run(testTerm(1));

  it("puts away what an ended process left as connected, so that it expires unless the agent comes back", async () => {
    await at.collections.agents.create("agent_1", session);
    await cleanUp(["node-1#b"]);
    const stored = await at.collections.agents.get("agent_1");
    expect(stored?.value).toMatchObject({ status: "away", awayAt: new Date(startMs).toISOString() });
    expect(stored?.value.owner).toBeUndefined();
    expect(stored?.expiresAtMs).toBe(startMs + 60_000);
    const log = await at.collections.agents.log("agent_1");
    expect(log?.map(({ event }) => event.type)).toEqual(["agent-disconnected"]);
  });

  it("leaves the sessions of living processes alone", async () => {
    await at.collections.agents.create("agent_1", session);
    await cleanUp([]);
    expect((await at.collections.agents.get("agent_1"))?.value).toEqual(session);
  });
});
