import type { HelloFrame } from "@parallax/protocol";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createResumeTokens, tokenLifeMs } from "../../src/agents/resume-tokens.ts";
import { createSessions, type Opened, type Sessions } from "../../src/agents/sessions.ts";
import { createStoreTime } from "../../src/store-time.ts";
import { type Link, openTestStore, sharedMemory, startMs, type TestStore } from "../support/records.ts";

const graceMs = 30_000;

function hello(changes: Partial<HelloFrame> = {}): HelloFrame {
  return {
    type: "hello",
    name: "agent",
    capabilities: ["c"],
    maxConcurrentTasks: 2,
    metadata: { region: "eu" },
    connection: 1,
    holding: [],
    owed: [],
    ...changes,
  };
}

type Token = Pick<Extract<Opened, { outcome: "open" }>, "agentId" | "resumeToken">;

describe("the sessions of agents", () => {
  let clock: VirtualClock;
  let stores: TestStore[];
  let here: Sessions;
  let there: Sessions;
  let between: (() => Promise<unknown>) | undefined;

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    const shared = sharedMemory(clock);
    between = undefined;
    const link: Link = async (run) => {
      const result = run();
      // Once it has read, something comes between before it writes.
      await between?.();
      return result;
    };
    stores = [openTestStore(clock, { shared, link }), openTestStore(clock, { shared })];
    const [first, second] = stores.map(({ collections }, index) =>
      createSessions({
        agents: collections.agents,
        tokens: createResumeTokens({
          secrets: collections.secrets,
          clock,
          storeTime: createStoreTime(clock, startMs),
        }),
        nodeId: `node-${index}`,
        owner: () => `node-${index}#i`,
        clock,
        reconnectGraceMs: graceMs,
      }),
    );
    if (!first || !second) throw new Error("two nodes are needed");
    [here, there] = [first, second];
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
  });

  const agents = () => stores[0]?.collections.agents ?? expect.unreachable();

  async function open(sessions: Sessions, frame: HelloFrame): Promise<Extract<Opened, { outcome: "open" }>> {
    const opened = await sessions.open(frame);
    if (opened.outcome !== "open") throw new Error("the session is stale");
    return opened;
  }
  /** What an agent says that comes back with its `connection`th connection. */
  function back(opened: { agentId: string; resumeToken: string }, connection: number): HelloFrame {
    return hello({ agentId: opened.agentId, resumeToken: opened.resumeToken, connection });
  }
  async function events(agentId: string): Promise<string[]> {
    return ((await agents().log(agentId)) ?? []).map(({ event }) => event.type);
  }

  it("are written where any node finds them, with what an operator looks for first", async () => {
    const { agentId, resumed } = await open(here, hello());
    expect(resumed).toBe(false);
    const record = await there.get(agentId);
    expect(Object.keys(record ?? {}).slice(0, 3)).toEqual(["nodeId", "capabilities", "connectedAt"]);
    expect(record).toMatchObject({
      nodeId: "node-0",
      capabilities: ["c"],
      connectedAt: "2026-01-01T00:00:00.000Z",
      status: "connected",
      owner: "node-0#i",
      metadata: { region: "eu" },
    });
    expect(await events(agentId)).toEqual(["agent-connected"]);
  });

  it("are resumed on any node with their token, which is stored nowhere", async () => {
    const first = await open(here, hello());
    const again = await open(there, back(first, 2));
    expect(again).toMatchObject({ agentId: first.agentId, resumed: true, leftNodeId: "node-0" });
    expect(await here.get(first.agentId)).toMatchObject({
      nodeId: "node-1",
      owner: "node-1#i",
      connection: 2,
    });
    expect(JSON.stringify(await agents().get(first.agentId))).not.toContain(first.resumeToken);
  });

  it.each<[string, (first: Token, other: Token) => string]>([
    ["that is guessed", () => "guess"],
    ["that is empty", () => "."],
    ["of another agent", (_, other) => other.resumeToken],
    ["that is cut off", (first) => first.resumeToken.slice(0, -1)],
    ["whose end was put off", (first) => `z${first.resumeToken}`],
    ["with something behind it", (first) => `${first.resumeToken}.x`],
  ])("begin anew with a token %s, and leave the session that was asked for alone", async (_, forge) => {
    const [first, other] = [await open(here, hello()), await open(here, hello())];
    const stranger = await open(there, back({ ...first, resumeToken: forge(first, other) }, 9));
    expect(stranger.resumed).toBe(false);
    expect(stranger.agentId).not.toBe(first.agentId);
    expect(await here.get(first.agentId)).toMatchObject({ nodeId: "node-0", connection: 1 });
  });

  it("begin anew once the token has expired, and go on with one that was renewed meanwhile", async () => {
    const first = await open(here, hello());
    await clock.advance(tokenLifeMs - 1000);
    const renewed = await here.renewedToken(first.agentId);
    await clock.advance(2000);
    expect(await open(there, back(first, 2))).toMatchObject({ resumed: false });
    expect(await open(there, back({ ...first, resumeToken: renewed }, 2))).toMatchObject({ resumed: true });
  });

  it("go on under their id where the record is gone: what the agent owes is still its own", async () => {
    const first = await open(here, hello());
    await agents().delete(first.agentId);
    expect(await open(there, back(first, 2))).toMatchObject({ agentId: first.agentId, resumed: true });
    expect(await here.get(first.agentId)).toMatchObject({ nodeId: "node-1", connection: 2 });
    expect(await here.open(back(first, 2))).toEqual({ outcome: "stale" });
  });

  it("begin anew once the secret was deleted in the store", async () => {
    const first = await open(here, hello());
    await stores[0]?.collections.secrets.delete("agent-sessions");
    await clock.advance(60_000);
    expect(await open(here, back(first, 2))).toMatchObject({ resumed: false });
    expect(await open(there, back(first, 2))).toMatchObject({ resumed: false });
  });

  it.each([1, 2])(
    "refuse connection %s where a newer one of the agent is known (X10)",
    async (connection) => {
      const first = await open(here, hello());
      await open(there, back(first, 2));
      expect(await here.open(back(first, connection))).toEqual({ outcome: "stale" });
      expect(await here.get(first.agentId)).toMatchObject({ nodeId: "node-1", connection: 2 });
    },
  );

  it("do not note a disconnect of a connection that is not the newest (X10)", async () => {
    const first = await open(here, hello());
    await open(there, back(first, 2));
    await here.away(first.agentId, 1);
    await here.end(first.agentId, 1);
    expect(await there.get(first.agentId)).toMatchObject({ status: "connected", nodeId: "node-1" });
    expect(await events(first.agentId)).toEqual(["agent-connected", "agent-connected"]);
  });

  it("are away after a disconnect, expire some time after the grace, and live on when the agent comes back", async () => {
    const first = await open(here, hello());
    await clock.advance(1000);
    await here.away(first.agentId, 1);
    const away = await agents().get(first.agentId);
    expect(away?.value).toMatchObject({ status: "away", awayAt: "2026-01-01T00:00:01.000Z" });
    expect(away?.value.owner).toBeUndefined();
    expect(away?.expiresAtMs).toBe(startMs + 1000 + 2 * graceMs);
    await open(there, back(first, 2));
    const present = await agents().get(first.agentId);
    expect(present?.value.awayAt).toBeUndefined();
    expect(present?.expiresAtMs).toBeUndefined();
    expect(await events(first.agentId)).toEqual(["agent-connected", "agent-disconnected", "agent-connected"]);
  });

  it("end at once when the agent leaves for good", async () => {
    const { agentId } = await open(here, hello());
    await here.end(agentId, 1);
    expect(await there.get(agentId)).toBeUndefined();
  });

  it("go to the newer of two connections though the older one's write comes last (X10, attack B9)", async () => {
    const first = await open(here, hello());
    between = () => {
      between = undefined;
      return there.open(back(first, 3));
    };
    expect(await here.open(back(first, 2))).toEqual({ outcome: "stale" });
    expect(await here.get(first.agentId)).toMatchObject({ nodeId: "node-1", connection: 3 });
  });
});
