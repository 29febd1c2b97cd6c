import { ParallaxError } from "@parallax/core";
import { closeCodes } from "@parallax/protocol";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import {
  type AgentEvent,
  ParallaxAgent,
  type ParallaxAgentOptions,
  type TaskAnswer,
  type TaskHandler,
} from "../src/index.ts";
import { createFakeNetwork, type FakeNetwork, helloOf, taskFrame } from "./fake-network.ts";

interface Setup {
  readonly agent: ParallaxAgent;
  readonly clock: VirtualClock;
  readonly network: FakeNetwork;
  readonly events: readonly AgentEvent[];
}

const echo: TaskHandler = async ({ input }) => ({ result: input });

/** An agent on a virtual clock and a fake network. Every random draw is the largest: waits are their bounds. */
function setUp(options: Partial<ParallaxAgentOptions> = {}, handler: TaskHandler = echo): Setup {
  const clock = createVirtualClock();
  const network = createFakeNetwork();
  const random = { next: () => 0.999_999 };
  const base = { controlPlaneUrl: "http://a:1", clock, random, transport: network.transport };
  const agent = new ParallaxAgent({ ...base, name: "agent", ...options }).onTask("classification", handler);
  const events: AgentEvent[] = [];
  agent.subscribe((event) => events.push(event));
  return { agent, clock, network, events };
}

/** The same, started and welcomed. */
async function connected(
  options: Partial<ParallaxAgentOptions> = {},
  handler: TaskHandler = echo,
): Promise<Setup> {
  const setup = setUp(options, handler);
  const starting = setup.agent.start();
  await setup.clock.settle();
  setup.network.last.welcome();
  await starting;
  return setup;
}

/** A handler that ends when the test says so. */
function heldHandler(): {
  readonly handler: TaskHandler;
  readonly signals: readonly AbortSignal[];
  finish(answer: TaskAnswer): void;
} {
  const signals: AbortSignal[] = [];
  const waiting: ((answer: TaskAnswer) => void)[] = [];
  return {
    signals,
    handler: (_, { signal }) => {
      signals.push(signal);
      return new Promise((resolve) => waiting.push(resolve));
    },
    finish: (answer) => waiting.shift()?.(answer),
  };
}

function typesOf(events: readonly AgentEvent[]): readonly string[] {
  return events.map(({ type }) => type);
}

const counted = { type: "ack", taskId: "exec_a:0", attempt: 1, outcome: "counted" } as const;

describe("starting", () => {
  it("connects with the token, says hello, and is done with the welcome", async () => {
    const { agent, clock, network, events } = setUp({
      token: async () => "secret",
      capabilities: ["gpu"],
      maxConcurrentTasks: 3,
      metadata: { zone: "a" },
    });
    let started = false;
    const starting = agent.start().then(() => {
      started = true;
    });
    await clock.settle();
    network.last.open();
    await clock.settle();
    expect([network.last.url, network.last.token, started]).toEqual(["ws://a:1/ws/agent", "secret", false]);
    expect(helloOf(network.last)).toEqual({
      type: "hello",
      name: "agent",
      capabilities: ["classification", "gpu"],
      maxConcurrentTasks: 3,
      metadata: { zone: "a" },
      connection: 1,
      holding: [],
      owed: [],
    });
    expect(agent.connected).toBe(false);
    network.last.welcome();
    await starting;
    expect([agent.connected, agent.agentId]).toEqual([true, "agent_a"]);
    expect(typesOf(events)).toEqual(["connected"]);
  });

  it("is refused twice, without a handler, and with what is no option", async () => {
    const { agent } = await connected();
    await expect(agent.start()).rejects.toMatchObject({ code: "already_started" });
    expect(() => agent.onTask("more", echo)).toThrow(expect.objectContaining({ code: "already_started" }));
    const bare = new ParallaxAgent({ controlPlaneUrl: "http://a:1" });
    await expect(bare.start()).rejects.toMatchObject({ code: "no_handler" });
    const { agent: many } = setUp({ capabilities: Array.from({ length: 64 }, (_, index) => `c${index}`) });
    await expect(many.start()).rejects.toMatchObject({ code: "invalid_options" });
  });

  it("gives up after its retries, and can be started anew", async () => {
    const { agent, clock, network, events } = setUp({ reconnect: { maxRetries: 2 } });
    const starting = agent.start();
    const failed = expect(starting).rejects.toMatchObject({ code: "gave_up" });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await clock.runUntil(() => network.sockets.length === attempt, 60_000);
      network.last.end({ code: 1006, reason: "connect ECONNREFUSED" });
    }
    await failed;
    expect(typesOf(events)).toEqual(["reconnecting", "reconnecting", "gave-up"]);
    const again = agent.start();
    await clock.settle();
    network.last.welcome();
    await again;
    expect(agent.connected).toBe(true);
  });

  it("gives up at once when the token is refused", async () => {
    const { agent, clock, network } = setUp();
    const failed = expect(agent.start()).rejects.toMatchObject({
      code: "gave_up",
      message: expect.stringContaining("401"),
    });
    await clock.settle();
    network.last.end({ code: 1006, reason: "HTTP 401", refusal: { status: 401, retryAfterMs: undefined } });
    await failed;
  });

  it("ends when its signal aborts", async () => {
    const { agent, clock, network } = setUp();
    const controller = new AbortController();
    const failed = expect(agent.start({ signal: controller.signal })).rejects.toMatchObject({
      code: "aborted",
    });
    await clock.settle();
    controller.abort();
    await failed;
    await clock.settle();
    expect(network.last.closedWith).toBe(1000);
    expect(clock.timers).toBe(0);
  });

  it("does not begin with a signal that has aborted, and may be started again", async () => {
    const { agent, clock, network } = setUp();
    const aborted = agent.start({ signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    await clock.settle();
    expect([network.sockets.length, clock.timers]).toEqual([0, 0]);
    const again = agent.start();
    await clock.settle();
    network.last.welcome();
    await again;
    expect(agent.connected).toBe(true);
  });

  it("tries again when there is no token at present", async () => {
    let asked = 0;
    const token = async (): Promise<string> => {
      asked += 1;
      if (asked === 1) throw new Error("vault is sealed");
      return "secret";
    };
    const { agent, clock, network, events } = setUp({ token });
    const starting = agent.start();
    await clock.runUntil(() => network.sockets.length === 1, 10_000);
    network.last.welcome();
    await starting;
    expect(events[0]).toMatchObject({ type: "reconnecting", reason: "no token: vault is sealed" });
  });
});

describe("a task", () => {
  it("runs, reports its progress, and is answered", async () => {
    const { network, clock, events } = await connected({}, async (task, { progress, log }) => {
      log.info("working");
      progress(0.5, "half way");
      return { result: `${task.capability}/${task.pattern}/${task.input}`, confidence: 0.75 };
    });
    network.last.send(taskFrame(0));
    await clock.settle();
    const result = "classification/content-classifier/0";
    expect(network.last.frames.slice(1)).toMatchObject([
      { type: "accept", taskId: "exec_a:0", attempt: 1 },
      { type: "progress", value: 0.5, message: "half way" },
      { type: "result", executionId: "exec_a", result, confidence: 0.75 },
    ]);
    network.last.send(counted);
    expect(typesOf(events)).toEqual(["connected", "task", "result-acknowledged"]);
  });

  it("is answered without a word before that where its handler is done at once", async () => {
    const { network, clock } = await connected({}, async () => ({ result: 1 }));
    network.last.send(taskFrame(0));
    await clock.advance(10);
    expect(network.last.frames.map(({ type }) => type)).toEqual(["hello", "result"]);
  });

  it("fails when its handler throws, at once or later", async () => {
    const { network, clock } = await connected({ maxConcurrentTasks: 2 }, (task) => {
      if (task.input === 0) throw new Error("at once");
      return Promise.reject(new ParallaxError("bad_input", "later", { details: { retryable: false } }));
    });
    network.last.send(taskFrame(0));
    network.last.send(taskFrame(1));
    await clock.settle();
    expect(network.last.frames.filter(({ type }) => type === "failure")).toMatchObject([
      { error: { code: "handler_failed", message: "at once", retryable: true } },
      { error: { code: "bad_input", message: "later", retryable: false } },
    ]);
  });

  it("aborts its handler's signal when it is cancelled, and sends nothing for it", async () => {
    const held = heldHandler();
    const { network, clock, events } = await connected({}, held.handler);
    network.last.send(taskFrame(0));
    await clock.advance(0);
    network.last.send({ type: "cancel", taskId: "exec_a:0", reason: "the execution timed out" });
    expect(held.signals[0]?.aborted).toBe(true);
    expect(held.signals[0]?.reason).toMatchObject({ code: "task_cancelled" });
    held.finish({ result: "late" });
    await clock.settle();
    expect(network.last.frames.map(({ type }) => type)).toEqual(["hello", "accept"]);
    expect(typesOf(events)).toContain("task-cancelled");
  });

  it("drops its progress, but not its result, while much waits to be sent", async () => {
    const { network, clock } = await connected({}, async (_, { progress }) => {
      await clock.sleep(1);
      progress(0.5);
      return { result: 1 };
    });
    network.bufferedBytes = 300 * 1024;
    network.last.send(taskFrame(0));
    await clock.advance(1);
    await clock.settle();
    expect(network.last.frames.map(({ type }) => type)).toEqual(["hello", "accept", "result"]);
  });

  it("can be handled without a control plane", async () => {
    const { agent } = setUp({}, async (task, { signal }) => ({
      result: [task.id, task.input, signal.aborted],
    }));
    expect(await agent.handle({ capability: "classification", input: "x" })).toEqual({
      result: ["exec_local:0", "x", false],
    });
    await expect(agent.handle({ capability: "analysis" })).rejects.toMatchObject({ code: "no_handler" });
  });
});

describe("a lost connection", () => {
  it("loses no result: it is delivered to the next node, and on the session of before", async () => {
    const held = heldHandler();
    const setup = await connected({ controlPlaneUrl: ["http://a:1", "http://b:2"] }, held.handler);
    const { agent, clock, network, events } = setup;
    const first = network.last;
    first.send(taskFrame(0));
    first.end({ code: 1006, reason: "" });
    await clock.settle();
    expect(agent.connected).toBe(false);
    held.finish({ result: "MIT" });
    await clock.runUntil(() => network.sockets.length === 2, 5_000);
    expect(network.last.url).not.toBe(first.url);
    network.last.welcome({ resumed: true, nodeId: "node-2" });
    expect(helloOf(network.last)).toMatchObject({ agentId: "agent_a", connection: 2, owed: ["exec_a:0"] });
    expect(network.last.frames[1]).toMatchObject({ type: "result", result: "MIT" });
    network.last.send(counted);
    expect(agent.owed).toBe(0);
    expect(typesOf(events)).toEqual([
      ...["connected", "task", "disconnected", "reconnecting"],
      ...["connected", "resumed", "result-acknowledged"],
    ]);
  });

  it("never makes it give up while it owes, and makes it give up afterwards", async () => {
    const { agent, clock, network, events } = await connected({ reconnect: { maxRetries: 0 } });
    network.last.send(taskFrame(0));
    await clock.settle();
    for (let times = 1; times <= 30; times += 1) {
      network.last.end({ code: 1006, reason: "" });
      await clock.runUntil(() => network.sockets.length === times + 1, 60_000);
    }
    network.last.welcome();
    network.last.send(counted);
    expect(agent.owed).toBe(0);
    network.last.end({ code: 1006, reason: "" });
    await clock.settle();
    expect(typesOf(events).at(-1)).toBe("gave-up");
  });

  it("for good, while it owes, is followed by a new session that delivers", async () => {
    const { clock, network, events } = await connected();
    network.last.send(taskFrame(0));
    await clock.settle();
    network.last.end({ code: closeCodes.replaced, reason: "the session has a newer connection" });
    await clock.runUntil(() => network.sockets.length === 2, 60_000);
    network.last.welcome({ agentId: "agent_b" });
    expect(helloOf(network.last)).toMatchObject({ connection: 2, owed: ["exec_a:0"] });
    expect(helloOf(network.last)).not.toHaveProperty("agentId");
    expect(network.last.frames[1]).toMatchObject({ type: "result", result: 0 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "error", error: expect.objectContaining({ code: "refused" }) }),
    );
  });

  it("keeps what is owed for the next start() where reconnecting is off", async () => {
    const { agent, clock, network, events } = await connected({ reconnect: { enabled: false } });
    network.last.send(taskFrame(0));
    await clock.settle();
    network.last.end({ code: 1006, reason: "" });
    await clock.settle();
    expect(typesOf(events).slice(-2)).toEqual(["disconnected", "gave-up"]);
    const again = agent.start();
    await clock.settle();
    network.last.welcome({ resumed: true });
    await again;
    expect(network.last.frames[1]).toMatchObject({ type: "result", result: 0 });
  });

  it("is noticed after 25 s without any frame, however it still looks", async () => {
    const { clock, network } = await connected();
    await clock.advance(20_000);
    network.last.ping();
    await clock.advance(24_900);
    expect(network.last.terminated).toBe(false);
    const first = network.last;
    await clock.advance(2_000);
    expect(first.terminated).toBe(true);
  });

  it("is not noticed in a connection that is pinged", async () => {
    const { clock, network } = await connected();
    for (let times = 0; times < 20; times += 1) {
      await clock.advance(15_000);
      network.last.ping();
    }
    expect(network.sockets).toHaveLength(1);
    expect(network.last.terminated).toBe(false);
  });

  it("is one that never gets a welcome in ten seconds", async () => {
    const { agent, clock, network } = setUp();
    const starting = agent.start();
    await clock.settle();
    network.last.open();
    await clock.advance(9_999);
    expect(network.last.terminated).toBe(false);
    await clock.advance(1);
    expect(network.last.terminated).toBe(true);
    await clock.runUntil(() => network.sockets.length === 2, 10_000);
    network.last.welcome();
    await starting;
  });

  it("brings nothing any more (X10)", async () => {
    const { clock, network, events } = await connected();
    const old = network.last;
    old.end({ code: 1006, reason: "" });
    await clock.runUntil(() => network.sockets.length === 2, 5_000);
    network.last.welcome({ resumed: true });
    old.send(taskFrame(0));
    old.send({ type: "drain", reconnectAfterMs: 0 });
    old.end({ code: closeCodes.replaced, reason: "" });
    await clock.advance(1_000);
    expect(network.last.frames.map(({ type }) => type)).toEqual(["hello"]);
    expect(typesOf(events)).not.toContain("task");
    expect(network.sockets).toHaveLength(2);
  });

  it("waits as long as a full cluster asks for, and counts no retry", async () => {
    const { clock, network, events } = await connected({ reconnect: { maxRetries: 1 } });
    const refusal = { status: 503, retryAfterMs: 7_000 };
    network.last.end({ code: 1006, reason: "" });
    for (let times = 0; times < 5; times += 1) {
      await clock.runUntil(() => network.sockets.length === times + 2, 20_000);
      network.last.end({ code: 1006, reason: "HTTP 503", refusal });
    }
    await clock.settle();
    const waits = events.flatMap((event) => (event.type === "reconnecting" ? [event] : []));
    expect(waits.slice(1).every(({ delayMs, retry }) => delayMs >= 7_000 && retry === 1)).toBe(true);
    expect(waits).toHaveLength(6);
  });
});

describe("a node that drains", () => {
  it("is left after the time that it asks for; work goes on meanwhile", async () => {
    const held = heldHandler();
    const { clock, network, events } = await connected({ reconnect: { maxRetries: 0 } }, held.handler);
    const first = network.last;
    first.send(taskFrame(0));
    first.send({ type: "drain", reconnectAfterMs: 3_000 });
    await clock.advance(2_999);
    held.finish({ result: "MIT" });
    await clock.settle();
    expect(first.frames.at(-1)).toMatchObject({ type: "result" });
    expect(first.closedWith).toBeUndefined();
    first.send(counted);
    await clock.advance(1);
    expect(first.closedWith).toBe(1001);
    await clock.runUntil(() => network.sockets.length === 2, 100);
    expect(events.at(-1)).toMatchObject({ type: "reconnecting", delayMs: 0, retry: 0 });
    expect(first.frames.some(({ type }) => type === "goodbye")).toBe(false);
  });

  it("that closes first is not met again before that time", async () => {
    const { clock, network } = await connected();
    network.last.send({ type: "drain", reconnectAfterMs: 3_000 });
    await clock.advance(1_000);
    network.last.end({ code: closeCodes.serviceRestart, reason: "drained" });
    await clock.advance(1_999);
    expect(network.sockets).toHaveLength(1);
    await clock.advance(1);
    expect(network.sockets).toHaveLength(2);
  });
});

describe("stopping", () => {
  it("is immediate when nothing is held or owed, and leaves nothing behind", async () => {
    const { agent, clock, network, events } = await connected();
    await agent.stop();
    expect(network.last.frames.slice(1).map(({ type }) => type)).toEqual(["status", "goodbye"]);
    expect(network.last.closedWith).toBe(1000);
    expect(typesOf(events).slice(-2)).toEqual(["disconnected", "stopped"]);
    expect(clock.timers).toBe(0);
    await agent.stop();
  });

  it("takes no more tasks, and waits for handlers and acknowledgements", async () => {
    const held = heldHandler();
    const { agent, clock, network } = await connected({ maxConcurrentTasks: 2 }, held.handler);
    network.last.send(taskFrame(0));
    let stopped = false;
    const stopping = agent.stop().then(() => {
      stopped = true;
    });
    network.last.send(taskFrame(1));
    expect(network.last.frames.at(-1)).toMatchObject({ type: "refuse", reason: "draining" });
    held.finish({ result: "MIT" });
    await clock.advance(1_000);
    expect([stopped, network.last.frames.at(-1)?.type]).toEqual([false, "result"]);
    network.last.send(counted);
    await stopping;
    expect(network.last.frames.at(-1)).toEqual({ type: "goodbye" });
  });

  it("aborts and hands back what takes longer than its time-out", async () => {
    const held = heldHandler();
    const { agent, clock, network, events } = await connected({}, held.handler);
    network.last.send(taskFrame(0));
    const stopping = agent.stop({ timeout: "5s" });
    await clock.advance(4_999);
    expect(held.signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    await stopping;
    expect(held.signals[0]?.aborted).toBe(true);
    expect(network.last.frames.at(-1)).toEqual({ type: "goodbye" });
    expect(events.at(-1)).toEqual({ type: "stopped", owed: 0 });
  });

  it("waits for a node to come back while it owes, and says what it could not deliver", async () => {
    const { agent, clock, network, events } = await connected();
    network.last.send(taskFrame(0));
    await clock.settle();
    network.last.end({ code: 1006, reason: "" });
    const stopping = agent.stop({ timeout: "8s" });
    await clock.runUntil(() => network.sockets.length === 2, 6_000);
    await clock.advance(8_000);
    await stopping;
    expect(events.at(-1)).toEqual({ type: "stopped", owed: 1 });
  });

  it("cuts the connection when the closing handshake stays away", async () => {
    const { agent, clock, network } = await connected();
    network.answersClose = false;
    const stopping = agent.stop();
    await clock.advance(3_000);
    await stopping;
    expect(network.last.terminated).toBe(true);
  });

  it("ends the wait for the next attempt", async () => {
    const { agent, clock, network } = await connected();
    network.last.end({ code: 1006, reason: "" });
    await clock.settle();
    await agent.stop();
    expect(clock.timers).toBe(0);
    expect(network.sockets).toHaveLength(1);
  });

  it("can be followed by another start, as a new session", async () => {
    const { agent, clock, network } = await connected();
    await agent.stop();
    const again = agent.start();
    await clock.settle();
    network.last.welcome();
    await again;
    expect(helloOf(network.last)).not.toHaveProperty("agentId");
    network.last.send(taskFrame(0));
    await clock.settle();
    expect(network.last.frames.at(-1)).toMatchObject({ type: "result" });
  });

  it("happens at the end of its scope", async () => {
    const { network } = await (async () => {
      const setup = await connected();
      await using _ = setup.agent;
      return setup;
    })();
    expect(network.last.closedWith).toBe(1000);
  });
});

describe("events", () => {
  it("come to listeners of their type, until they leave", async () => {
    const { agent, clock, network } = await connected();
    const ids: string[] = [];
    const forget = agent.on("task", ({ taskId }) => ids.push(taskId));
    network.last.send(taskFrame(0));
    await clock.settle();
    forget();
    network.last.send(taskFrame(1));
    await clock.settle();
    expect(ids).toEqual(["exec_a:0"]);
  });

  it("without a listener, errors too, disturb nobody; nor does a listener that throws", async () => {
    const { agent, clock, network } = await connected();
    network.last.send({ type: "error", code: "invalid_frame", message: "no" });
    agent.on("task", () => {
      throw new Error("a listener's own fault");
    });
    network.last.send(taskFrame(0));
    await clock.settle();
    expect(network.last.frames.at(-1)).toMatchObject({ type: "result" });
  });

  it("may stop the agent", async () => {
    const { agent, clock, network } = await connected();
    let stopped: Promise<void> | undefined;
    agent.on("result-acknowledged", () => {
      stopped = agent.stop();
    });
    network.last.send(taskFrame(0));
    await clock.settle();
    network.last.send(counted);
    await stopped;
    expect(network.last.closedWith).toBe(1000);
  });
});

it("ignores frames of a later version and what is no frame", async () => {
  const { clock, network } = await connected();
  network.last.text('{"type":"later","x":1}');
  network.last.text("no json");
  network.last.send(taskFrame(0));
  await clock.settle();
  expect(network.last.frames.at(-1)).toMatchObject({ type: "result" });
});
