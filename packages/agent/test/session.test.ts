import { seededRandom } from "@parallax/core";
import type { AckFrame, NodeFrame, TaskFrame, WelcomeFrame } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { createSession, type Effect, type Session } from "../src/session.ts";

const welcome: WelcomeFrame = {
  type: "welcome",
  agentId: "agent_a",
  nodeId: "node-1",
  resumeToken: "secret",
  resumed: false,
  limits: { maxPayloadBytes: 2048 },
  heartbeatMs: 15_000,
  reconnect: { graceMs: 30_000, spreadMs: 5_000 },
};

function taskFrame(
  index: number,
  attempt = 1,
  capabilities: readonly string[] = ["classification"],
): TaskFrame {
  return {
    type: "task",
    taskId: `exec_a:${index}`,
    executionId: "exec_a",
    attempt,
    capabilities,
    pattern: "content-classifier",
    input: null,
    deadlineMs: 60_000,
  };
}

function ack(index: number, outcome: AckFrame["outcome"] = "counted"): AckFrame {
  return { type: "ack", taskId: `exec_a:${index}`, attempt: 1, outcome };
}

function newSession(maxConcurrentTasks = 4): Session {
  const handled = new Set(["classification", "analysis"]);
  return createSession({
    name: "agent",
    capabilities: [...handled, "gpu"],
    maxConcurrentTasks,
    metadata: {},
    choose: (capabilities) => capabilities.find((capability) => handled.has(capability)),
    random: seededRandom(1),
  });
}

/** A session that a node has welcomed at time 0. */
function onlineSession(maxConcurrentTasks = 4): Session {
  const session = newSession(maxConcurrentTasks);
  session.hello();
  session.receive(welcome, 0);
  return session;
}

/** The frames among the effects. */
function sent(effects: readonly Effect[]): readonly unknown[] {
  return effects.flatMap((effect) => (effect.type === "send" ? [effect.frame] : []));
}

function types(effects: readonly Effect[]): readonly string[] {
  return effects.map((effect) => (effect.type === "send" ? effect.frame.type : effect.type));
}

function runOf(effects: readonly Effect[]): number {
  const run = effects.find((effect) => effect.type === "run");
  if (run?.type !== "run") throw new Error("no handler was started");
  return run.run;
}

function answer(session: Session, run: number, result: unknown, nowMs = 0): readonly Effect[] {
  return session.finished(run, { type: "answered", answer: { result } }, nowMs);
}

describe("a connection", () => {
  it("is counted in hello, whatever became of the one before (X10)", () => {
    const session = newSession();
    expect(session.hello().connection).toBe(1);
    expect(session.hello().connection).toBe(2);
    session.receive(welcome, 0);
    session.lost();
    expect(session.hello().connection).toBe(3);
  });

  it("resumes the session that the last welcome gave", () => {
    const session = newSession();
    expect(session.hello()).not.toHaveProperty("agentId");
    session.receive(welcome, 0);
    session.lost();
    expect(session.hello()).toMatchObject({ agentId: "agent_a", resumeToken: "secret" });
    session.receive({ ...welcome, resumed: true }, 0);
    session.receive({ type: "token", resumeToken: "another secret" }, 0);
    expect(session.hello(), "the node gave it a new one in time").toMatchObject({
      agentId: "agent_a",
      resumeToken: "another secret",
    });
  });

  it("begins a new session once it was told to, and still counts", () => {
    const session = onlineSession();
    session.lost();
    session.forget();
    const hello = session.hello();
    expect(hello).not.toHaveProperty("agentId");
    expect(hello.connection).toBe(2);
  });

  it("lists what is held and what is owed", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    session.receive(taskFrame(1, 3), 0);
    answer(session, run, "MIT");
    session.lost();
    expect(session.hello()).toMatchObject({
      holding: [{ taskId: "exec_a:1", executionId: "exec_a", attempt: 3 }],
      owed: ["exec_a:0"],
    });
  });

  it("heeds no frame before its welcome", () => {
    const session = newSession();
    session.hello();
    expect(session.receive(taskFrame(0), 0)).toEqual([]);
    expect(session.receive({ type: "drain", reconnectAfterMs: 0 }, 0)).toEqual([]);
  });

  it("tells whether the session was resumed", () => {
    const session = newSession();
    session.hello();
    const event = { agentId: "agent_a", nodeId: "node-1" };
    expect(session.receive({ ...welcome, resumed: true }, 0)).toEqual([
      { type: "notify", event: { type: "connected", ...event, resumed: true } },
      { type: "notify", event: { type: "resumed", ...event } },
    ]);
  });
});

describe("a task", () => {
  it("is accepted before its handler starts", () => {
    const session = onlineSession();
    const effects = session.receive(taskFrame(0), 0);
    expect(types(effects)).toEqual(["accept", "run", "notify"]);
    expect(effects[1]).toMatchObject({ capability: "classification" });
    expect(session.owes).toBe(true);
  });

  it("goes to the first of its capabilities that has a handler", () => {
    const effects = onlineSession().receive(taskFrame(0, 1, ["gpu", "analysis", "classification"]), 0);
    expect(effects[1]).toMatchObject({ type: "run", capability: "analysis" });
  });

  it("is refused when none of its capabilities has a handler", () => {
    const effects = onlineSession().receive(taskFrame(0, 1, ["gpu"]), 0);
    expect(sent(effects)).toEqual([
      { type: "refuse", taskId: "exec_a:0", attempt: 1, reason: "unknown_capability" },
    ]);
  });

  it("is refused when every slot is taken, and accepted again when one is free", () => {
    const session = onlineSession(1);
    const run = runOf(session.receive(taskFrame(0), 0));
    expect(sent(session.receive(taskFrame(1), 0))).toMatchObject([{ type: "refuse", reason: "busy" }]);
    answer(session, run, 1);
    expect(types(session.receive(taskFrame(1, 2), 0))).toContain("run");
  });

  it("is refused while too many results are unacknowledged (S7)", () => {
    const session = onlineSession(1);
    for (let index = 0; index < 100; index += 1) {
      answer(session, runOf(session.receive(taskFrame(index), 0)), index);
    }
    expect(sent(session.receive(taskFrame(100), 0))).toMatchObject([{ type: "refuse", reason: "busy" }]);
    session.receive(ack(0), 0);
    expect(types(session.receive(taskFrame(100), 0))).toContain("run");
  });

  it("that comes again while it runs is accepted again and not started again", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    expect(types(session.receive(taskFrame(0, 2), 0))).toEqual(["accept"]);
    expect(sent(answer(session, run, "MIT"))).toMatchObject([{ type: "result", attempt: 2 }]);
  });

  it("that comes again after it was answered gets that answer again, and no second run", () => {
    const session = onlineSession();
    answer(session, runOf(session.receive(taskFrame(0), 0)), "MIT");
    expect(sent(session.receive(taskFrame(0, 2), 10))).toMatchObject([{ type: "result", result: "MIT" }]);
  });

  it("that failed is run again for a later attempt, though the failure was not acknowledged", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    session.finished(run, { type: "threw", error: new Error("no model") }, 0);
    expect(types(session.receive(taskFrame(0, 1), 1))).toEqual(["failure"]);
    expect(types(session.receive(taskFrame(0, 2), 2))).toEqual(["accept", "run", "notify"]);
    expect(session.owed).toBe(0);
  });

  it("is refused while the agent drains, but what it holds goes on", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    expect(sent(session.drain())).toMatchObject([{ type: "status", draining: true }]);
    expect(sent(session.receive(taskFrame(1), 0))).toMatchObject([{ reason: "draining" }]);
    expect(types(answer(session, run, 1))).toEqual(["result"]);
    session.lost();
    expect(sent(session.receive(welcome, 1))[0]).toMatchObject({ type: "status", draining: true });
  });
});

describe("a cancelled task", () => {
  it("is aborted, and what its handler still answers is dropped", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    const effects = session.receive({ type: "cancel", taskId: "exec_a:0", reason: "timeout" }, 0);
    expect(types(effects)).toEqual(["abort", "notify"]);
    expect(answer(session, run, "late")).toEqual([]);
    expect(session.owes).toBe(false);
  });

  it("takes its slot until its handler has ended", () => {
    const session = onlineSession(1);
    const run = runOf(session.receive(taskFrame(0), 0));
    session.receive({ type: "cancel", taskId: "exec_a:0", reason: "timeout" }, 0);
    expect(types(session.receive(taskFrame(1), 0))).toEqual(["refuse"]);
    answer(session, run, "late");
    expect(types(session.receive(taskFrame(1), 0))).toContain("run");
  });

  it("that is assigned anew is not answered by its first run", () => {
    const session = onlineSession();
    const first = runOf(session.receive(taskFrame(0), 0));
    session.receive({ type: "cancel", taskId: "exec_a:0", reason: "moved" }, 0);
    const second = runOf(session.receive(taskFrame(0, 2), 0));
    expect(answer(session, first, "first")).toEqual([]);
    expect(sent(answer(session, second, "second"))).toMatchObject([{ attempt: 2, result: "second" }]);
  });

  it("is nothing to answer when the task is unknown", () => {
    expect(onlineSession().receive({ type: "cancel", taskId: "exec_b:0", reason: "" }, 0)).toEqual([]);
  });
});

describe("a result", () => {
  function owing(): Session {
    const session = onlineSession();
    answer(session, runOf(session.receive(taskFrame(0), 0)), "MIT");
    return session;
  }

  it("is kept until it is acknowledged", () => {
    const session = owing();
    expect(session.owed).toBe(1);
    const effects = session.receive(ack(0), 0);
    expect(session.owes).toBe(false);
    expect(effects).toEqual([
      {
        type: "notify",
        event: { type: "result-acknowledged", taskId: "exec_a:0", attempt: 1, outcome: "counted" },
      },
    ]);
  });

  it("is settled by the news that another one came first", () => {
    const session = owing();
    session.receive(ack(0, "superseded"), 0);
    expect(session.owes).toBe(false);
  });

  it("is sent again, jittered, when no acknowledgement comes (X5)", () => {
    const session = owing();
    expect(sent(session.tick(2_400))).toEqual([]);
    expect(sent(session.tick(7_501))).toMatchObject([{ type: "result", result: "MIT" }]);
    expect(sent(session.tick(7_502))).toEqual([]);
  });

  it("is sent again after every reconnect", () => {
    const session = owing();
    session.lost();
    expect(session.tick(100)).toEqual([]);
    session.hello();
    expect(sent(session.receive({ ...welcome, resumed: true }, 200))).toMatchObject([{ result: "MIT" }]);
  });

  it("is delivered though the session could not be resumed", () => {
    const session = owing();
    session.lost();
    session.hello();
    const effects = session.receive({ ...welcome, agentId: "agent_b", resumed: false }, 200);
    expect(sent(effects)).toMatchObject([{ result: "MIT" }]);
  });

  it("waits for a connection when there is none", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    session.lost();
    expect(answer(session, run, "MIT")).toEqual([]);
    expect(session.owed).toBe(1);
  });

  it("of an execution that is unknown is offered again until its deadline and the grace have passed (A4)", () => {
    const session = owing();
    expect(session.receive(ack(0, "unknown"), 10)).toEqual([]);
    expect(session.owed).toBe(1);
    session.receive(ack(0, "unknown"), 89_999);
    expect(session.owed).toBe(1);
    session.receive(ack(0, "unknown"), 90_000);
    expect(session.owed).toBe(0);
  });

  it("never has more than a window of others on the way with it", () => {
    const session = onlineSession(200);
    const runs = Array.from({ length: 40 }, (_, index) => runOf(session.receive(taskFrame(index), 0)));
    session.lost();
    for (const run of runs) answer(session, run, run);
    const first = sent(session.receive(welcome, 1));
    expect(first).toHaveLength(32);
    expect(sent(session.receive(ack(0), 2))).toMatchObject([{ taskId: "exec_a:32" }]);
  });

  it("that stays unacknowledged does not hold up the others", () => {
    const session = onlineSession(200);
    const runs = Array.from({ length: 40 }, (_, index) => runOf(session.receive(taskFrame(index), 0)));
    for (const run of runs) answer(session, run, run);
    const late = new Set(sent(session.tick(8_000)).map((frame) => JSON.stringify(frame)));
    expect([...late].some((text) => text.includes('"exec_a:39"'))).toBe(true);
  });

  it("that is too large for the node becomes a failure, which the node can take", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    const effects = answer(session, run, "x".repeat(3_000));
    expect(sent(effects)).toMatchObject([
      { type: "failure", error: { code: "result_too_large", retryable: false } },
    ]);
  });
});

describe("progress", () => {
  it("is reported at once, then once a second, the latest", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    expect(sent(session.progress(run, 0.1, "begun", 0))).toEqual([
      { type: "progress", taskId: "exec_a:0", attempt: 1, value: 0.1, message: "begun" },
    ]);
    expect(session.progress(run, 0.2, undefined, 500)).toEqual([]);
    expect(session.progress(run, 0.3, undefined, 600)).toEqual([]);
    expect(sent(session.tick(1_000))).toMatchObject([{ value: 0.3 }]);
    expect(session.tick(2_000)).toEqual([]);
  });

  it("is dropped when it is no number from 0 to 1, or nobody waits for the task", () => {
    const session = onlineSession();
    const run = runOf(session.receive(taskFrame(0), 0));
    expect(session.progress(run, Number.NaN, undefined, 0)).toEqual([]);
    expect(session.progress(run, 2, undefined, 0)).toEqual([]);
    session.receive({ type: "cancel", taskId: "exec_a:0", reason: "" }, 0);
    expect(session.progress(run, 0.5, undefined, 0)).toEqual([]);
  });
});

it("asks to move where a node drains, and tells what a node could not take", () => {
  const session = onlineSession();
  const frames: readonly NodeFrame[] = [
    { type: "drain", reconnectAfterMs: 700 },
    { type: "error", code: "invalid_frame", message: "reading a frame: correct it" },
  ];
  const [move, notify] = frames.flatMap((frame) => session.receive(frame, 0));
  expect(move).toEqual({ type: "move", afterMs: 700 });
  expect(notify).toMatchObject({
    type: "notify",
    event: { type: "error", error: { code: "invalid_frame" } },
  });
});
