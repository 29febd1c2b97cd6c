import { closeCodes } from "@parallax/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FakeSocket } from "../support/fake-socket.ts";
import {
  agentOf,
  graceMs,
  type HubFixture,
  hubFixture,
  resuming,
  taskFrame,
} from "../support/hub-fixture.ts";
import { hello } from "../support/sockets.ts";

const held = (taskId: string, attempt = 1) => ({ taskId, executionId: "exec_1", attempt });

describe("the agents of a node", () => {
  let here: HubFixture;
  let there: HubFixture;
  beforeEach(() => {
    here = hubFixture();
    there = hubFixture({ nodeId: "node-1", with: here });
  });
  afterEach(async () => {
    await here.close();
    await there.close();
  });

  describe("have a say only in what they were given", () => {
    it.each<["accept" | "refuse" | "progress", object]>([
      ["accept", { type: "accept" }],
      ["refuse", { type: "refuse", reason: "busy" }],
      ["progress", { type: "progress", value: 0.5 }],
    ])("%s of a task of another agent, or of another attempt, is not heeded", async (kind, frame) => {
      const [owner, liar] = [await here.connect(), await here.connect()];
      here.hub.send(agentOf(owner), taskFrame("exec_1:0", 2));
      liar.says({ ...frame, taskId: "exec_1:0", attempt: 2 });
      owner.says({ ...frame, taskId: "exec_1:0", attempt: 1 });
      expect(here.reported).toEqual([]);
      owner.says({ ...frame, taskId: "exec_1:0", attempt: 2 });
      const word = { accept: "accepted", refuse: "refused", progress: "progress" }[kind];
      expect(here.reported).toEqual([`${word} exec_1:0 ${kind === "progress" ? 0.5 : 2}`]);
    });

    it("an accept that comes again and again is passed on once, and once more when the task is", async () => {
      const agent = await here.connect();
      const accept = { type: "accept", taskId: "exec_1:0", attempt: 1 };
      for (let time = 0; time < 2; time += 1) {
        here.hub.send(agentOf(agent), taskFrame("exec_1:0", 1));
        for (let count = 0; count < 20; count += 1) agent.says(accept);
      }
      expect(here.reported).toEqual(["accepted exec_1:0 1", "accepted exec_1:0 1"]);
    });

    it("a result is the session's, whatever the frame says of who it is from", async () => {
      const agent = await here.connect({ name: "honest" });
      const letters: object[] = [];
      here.deliver = async (letter) => {
        letters.push(letter);
        return "counted";
      };
      const forged = { agentId: "agent_other", agentName: "other", kind: "cancel" };
      agent.says({ type: "result", ...held("exec_1:0"), result: 1, ...forged });
      expect(letters).toEqual([
        {
          kind: "result",
          taskId: "exec_1:0",
          attempt: 1,
          agentId: agentOf(agent),
          agentName: "honest",
          result: 1,
        },
      ]);
    });

    it("what it claims to hold is compared with the records, and what is not wanted is called back", async () => {
      const first = await here.connect();
      there.standing = (_, taskId) =>
        taskId === "exec_1:0" ? "wanted" : taskId === "exec_1:1" ? "superseded" : "unknown";
      const holding = [held("exec_1:0"), held("exec_1:1"), held("exec_1:2")];
      const again = await there.connect(resuming(first, 2, { holding, maxConcurrentTasks: 4 }));
      expect(there.reported).toEqual(["accepted exec_1:0 1"]);
      expect(again.of("cancel")).toEqual([{ type: "cancel", taskId: "exec_1:1", reason: "superseded" }]);
      expect([...(there.roster.get(agentOf(again))?.held ?? [])]).toEqual(["exec_1:0", "exec_1:2"]);
    });
  });

  describe("that lose their connection (B11)", () => {
    it("keep their tasks for the grace, on this node", async () => {
      const agent = await here.connect();
      here.hub.send(agentOf(agent), taskFrame("exec_1:0"));
      agent.end();
      await here.clock.advance(graceMs - 1000);
      const again = await here.connect(resuming(agent, 2, { holding: [held("exec_1:0")] }));
      await here.clock.advance(2000);
      expect(here.reported).toEqual(["accepted exec_1:0 1"]);
      again.end();
      await here.clock.advance(graceMs - 1000);
      expect(here.reported, "the grace begins anew").toHaveLength(1);
      await here.clock.advance(1000);
      expect(here.reported.at(-1)).toBe("lost exec_1:0 1");
    });

    it("keep them where another node has them by then", async () => {
      const agent = await here.connect();
      here.hub.send(agentOf(agent), taskFrame("exec_1:0"));
      agent.end();
      const moved = await there.connect(resuming(agent, 2, { holding: [held("exec_1:0")] }));
      for (let waitedMs = 0; waitedMs < 2 * graceMs; waitedMs += 10_000) {
        await here.clock.advance(10_000);
        moved.emit("pong");
      }
      expect(here.reported).toEqual([]);
    });

    it("lose them as well when the store could not be told, and it is told again", async () => {
      const agent = await here.connect();
      here.hub.send(agentOf(agent), taskFrame("exec_1:0"));
      const { away } = here.sessions;
      here.sessions.away = () => Promise.reject(new Error("the store is away"));
      agent.end();
      await here.clock.advance(graceMs);
      expect(here.reported).toEqual(["lost exec_1:0 1"]);
      expect(await here.sessions.get(agentOf(agent))).toMatchObject({ status: "connected" });
      here.sessions.away = away;
      await here.clock.advance(5000);
      expect(await here.sessions.get(agentOf(agent))).toMatchObject({ status: "away" });
    });

    it("lose at once what they come back without: it never reached them", async () => {
      const agent = await here.connect();
      for (const number of [0, 1, 2]) here.hub.send(agentOf(agent), taskFrame(`exec_1:${number}`));
      agent.end();
      await here.connect(resuming(agent, 2, { holding: [held("exec_1:0")], owed: ["exec_1:1"] }));
      expect(here.reported).toEqual(["lost exec_1:2 1", "accepted exec_1:0 1"]);
    });

    it("lose all of them at once when they say goodbye", async () => {
      const agent = await here.connect();
      here.hub.send(agentOf(agent), taskFrame("exec_1:0"));
      agent.says({ type: "goodbye" });
      expect(agent.closedWith).toBe(closeCodes.normal);
      expect(here.reported).toEqual(["lost exec_1:0 1"]);
    });
  });

  describe("that have a newer connection (X10, B9)", () => {
    it("on the same node, whichever is ready first", async () => {
      const first = await here.connect();
      const [newer, older] = [here.open(), here.open()];
      newer.says(hello(resuming(first, 3)));
      older.says(hello(resuming(first, 2)));
      await here.clock.settle();
      expect(first.closedWith).toBe(closeCodes.replaced);
      expect(older.closedWith).toBe(closeCodes.replaced);
      expect(newer.readyState).toBe(newer.OPEN);
      expect(here.hub.size).toBe(1);
    });

    it("on the same node, though the older one's session was opened first and is answered last", async () => {
      const first = await here.connect();
      const { sessions } = here;
      const open = sessions.open;
      let answer = (): void => {};
      const held = new Promise<void>((resolve) => {
        answer = resolve;
      });
      sessions.open = async (greeting) => {
        const opened = await open(greeting);
        if (greeting.connection === 2) await held;
        return opened;
      };
      const [older, newer] = [here.open(), here.open()];
      older.says(hello(resuming(first, 2)));
      await here.clock.settle();
      newer.says(hello(resuming(first, 3)));
      await here.clock.settle();
      answer();
      await here.clock.settle();
      expect(older.closedWith).toBe(closeCodes.replaced);
      expect(newer.readyState).toBe(newer.OPEN);
    });

    it("on the same node, and keep their session when the older one ends at last", async () => {
      const first = await here.connect();
      first.stalled = true;
      const second = await here.connect(resuming(first, 2));
      expect(first.closedWith).toBe(closeCodes.replaced);
      first.end();
      await here.clock.settle();
      expect(here.hub.has(agentOf(second))).toBe(true);
      expect(here.roster.get(agentOf(second))).toBeDefined();
      expect(await here.sessions.get(agentOf(second))).toMatchObject({ status: "connected", connection: 2 });
    });

    it("on another node: the one before is told, and gives it up at once", async () => {
      const first = await here.connect();
      await there.connect(resuming(first, 2));
      expect(there.told).toEqual([
        {
          to: "node-0",
          message: { type: "agent-moved", from: "node-1", agentId: agentOf(first), connection: 2 },
        },
      ]);
      for (const { message } of there.told) here.hub.receive(message);
      await here.clock.settle();
      expect(first.closedWith).toBe(closeCodes.replaced);
      expect(here.hub.has(agentOf(first))).toBe(false);
      expect(await here.sessions.get(agentOf(first))).toMatchObject({
        status: "connected",
        nodeId: "node-1",
      });
    });

    it("keep it though an old word of a move comes late", async () => {
      const first = await here.connect();
      const moved = { type: "agent-moved" as const, from: "node-1", agentId: agentOf(first) };
      here.hub.receive({ ...moved, connection: 1 });
      expect(first.readyState).toBe(first.OPEN);
    });
  });

  describe("of a node that drains (B12)", () => {
    const drain = (windowMs: number) => here.hub.drain(windowMs, new AbortController().signal);

    it("are told when to go, spread over the window, and get no tasks meanwhile", async () => {
      const agents = await Promise.all(Array.from({ length: 10 }, () => here.connect()));
      const drained = drain(10_000);
      const waits = agents.map((agent) => agent.of("drain")[0]?.reconnectAfterMs ?? Number.NaN);
      expect(waits).toEqual([500, 1500, 2500, 3500, 4500, 5500, 6500, 7500, 8500, 9500]);
      expect(here.roster.size).toBe(0);
      await here.clock.advance(9500);
      expect(agents.map(({ readyState }) => readyState).slice(-2), "each has the time it was given").toEqual([
        1, 1,
      ]);
      for (const agent of agents.slice(0, 5)) agent.end(1001);
      await here.clock.advance(4000);
      await drained;
      expect(agents.slice(5).map(({ closedWith }) => closedWith)).toEqual(
        Array.from({ length: 5 }, () => closeCodes.serviceRestart),
      );
    });

    it("are told a hundred at a time, each of what is left of its time then", async () => {
      const agents = await Promise.all(Array.from({ length: 250 }, () => here.connect()));
      const drained = drain(250_000);
      const told = (): number => agents.filter((agent) => agent.of("drain").length > 0).length;
      expect(told()).toBe(100);
      await here.clock.advance(20);
      expect(told()).toBe(200);
      await here.clock.advance(20);
      expect(told()).toBe(250);
      const waits = agents.map((agent) => agent.of("drain")[0]?.reconnectAfterMs);
      expect([waits[0], waits[100], waits[200]]).toEqual([500, 100_480, 200_460]);
      for (const agent of agents) agent.end(1001);
      await here.clock.advance(100);
      await drained;
    });

    it("are turned away with 1012 when they have not said hello, or come while it drains", async () => {
      const silent = here.open();
      const drained = drain(0);
      const late = here.open();
      expect([silent.closedWith, late.closedWith]).toEqual([
        closeCodes.serviceRestart,
        closeCodes.serviceRestart,
      ]);
      await here.clock.advance(100);
      await drained;
    });

    it("are told as well when their session opens only then", async () => {
      const agent = here.open();
      agent.says(hello());
      const drained = drain(1000);
      await here.clock.settle();
      expect(agent.closedWith ?? agent.of("drain")).toBeDefined();
      await here.clock.advance(10_000);
      await drained;
      expect(agent.closedWith).toBe(closeCodes.serviceRestart);
    });
  });

  describe("of a node that has too many", () => {
    const moved = (agents: readonly FakeSocket[]): number =>
      agents.filter((agent) => agent.of("drain").length > 0).length;
    const connectMany = (count: number) => Promise.all(Array.from({ length: count }, () => here.connect()));

    it("are let go a few at a time, down to its share", async () => {
      const agents = await connectMany(100);
      here.hub.shed(95);
      await here.clock.advance(1000);
      expect(moved(agents), "three of a hundred at once").toBe(3);
      await here.clock.advance(5000);
      expect(moved(agents)).toBe(5);
      expect(agents.filter(({ closedWith }) => closedWith === closeCodes.rebalance)).toHaveLength(5);
    });

    it("are let go only while they are idle", async () => {
      const agents = await connectMany(4);
      const busy = agents.slice(0, 3);
      for (const [index, agent] of busy.entries()) {
        here.roster.hold(agentOf(agent), `exec_1:${index}`);
        here.hub.send(agentOf(agent), taskFrame(`exec_1:${index}`));
      }
      here.hub.shed(1);
      await here.clock.advance(9000);
      expect(moved(busy)).toBe(0);
      expect(moved(agents)).toBe(1);
    });

    it("are not asked again when they come back: their balancer wants them here", async () => {
      const [agent] = await connectMany(2);
      if (!agent) return expect.unreachable();
      here.hub.shed(1);
      await here.clock.advance(2000);
      agent.end(1001);
      const again = await here.connect(resuming(agent, 2));
      here.hub.shed(1);
      await here.clock.advance(2000);
      expect(again.of("drain")).toEqual([]);
    });

    it("are left alone where nearly all come back: the balancer is sticky", async () => {
      let agents: readonly FakeSocket[] = await connectMany(200);
      let asked = 0;
      for (let second = 0; second < 60; second += 1) {
        here.hub.shed(50);
        await here.clock.advance(1000);
        agents = await Promise.all(
          agents.map(async (agent) => {
            agent.emit("pong");
            if (agent.of("drain").length === 0) return agent;
            asked += 1;
            agent.end(1001);
            return here.connect(resuming(agent, 2));
          }),
        );
      }
      expect(asked).toBeGreaterThanOrEqual(20);
      expect(asked).toBeLessThan(40);
    });

    it("stay once the leader has not said for a while that there are too many", async () => {
      const agents = await connectMany(100);
      here.hub.shed(10);
      await here.clock.advance(60_000);
      expect(moved(agents)).toBeLessThan(40);
    });
  });

  it("are told that a result has arrived when it lies in the inbox, and not before (X5)", async () => {
    const agent = await here.connect();
    let arrive: () => void = () => {};
    here.deliver = () => new Promise((resolve) => (arrive = () => resolve("counted")));
    here.hub.send(agentOf(agent), taskFrame("exec_1:0"));
    agent.says({ type: "result", taskId: "exec_1:0", executionId: "exec_1", attempt: 1, result: 1 });
    await here.clock.settle();
    expect(agent.of("ack")).toEqual([]);
    arrive();
    await here.clock.settle();
    expect(agent.of("ack")).toMatchObject([{ taskId: "exec_1:0", outcome: "counted" }]);
  });

  it("get a new resume token before theirs expires", async () => {
    const agent = await here.connect();
    for (let hour = 0; hour < 9; hour += 1)
      for (let beat = 0; beat < 360; beat += 1) {
        agent.emit("pong");
        await here.clock.advance(10_000);
      }
    const [renewed] = agent.of("token");
    const again = resuming(agent, 2, { resumeToken: renewed?.resumeToken });
    expect((await there.connect(again)).of("welcome")).toMatchObject([{ resumed: true }]);
  });

  it("are closed with 4501 when their token is taken back", async () => {
    const [kept, revoked] = [here.open("kept"), here.open("revoked")];
    here.hub.revoke((caller) => caller === "kept");
    expect(kept.readyState).toBe(kept.OPEN);
    expect(revoked.closedWith).toBe(closeCodes.unauthorized);
  });
});
