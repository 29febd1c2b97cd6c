import { noopLogger } from "@parallax/core";
import type { NodeFrame } from "@parallax/protocol";
import type { Stored } from "@parallax/state-store";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import type { Hub } from "../../src/agents/hub.ts";
import { createRoster, type Roster } from "../../src/agents/roster.ts";
import type { Delivery, Grant } from "../../src/executions/broker.ts";
import { createDispatcher, type Dispatcher } from "../../src/executions/dispatcher.ts";
import { createExchange, type Exchange } from "../../src/executions/exchange.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import type { NodeMessage } from "../../src/node-messages.ts";
import { recordOf, startMs, taskOf } from "../support/records.ts";

/** One node's share of the exchange, with agents that take down what they are sent. */
interface Place {
  readonly exchange: Exchange;
  readonly roster: Roster;
  /** `agent: frame type task` */
  readonly sent: string[];
  /** `task=agent@node` */
  readonly grants: string[];
  join(agentId: string, slots?: number): void;
  seek(taskId: string, excluded?: readonly string[]): () => void;
}

let clock: VirtualClock;
let records: Map<string, ExecutionRecord>;
let inboxes: Map<string, Readonly<Record<string, string>>>;
let places: Map<string, Place>;
/** Where agents are by their sessions. */
let sessions: Map<string, string>;
/** Messages between nodes, as `from>to type`; those that match `lost` do not arrive. */
let messages: string[];
let lost: RegExp | undefined;

function send(from: string, to: string, message: NodeMessage): void {
  const line = `${from}>${to} ${message.type}`;
  messages.push(line);
  if (lost?.test(line)) return;
  queueMicrotask(() => places.get(to)?.exchange.receive(message));
}

function place(nodeId: string): Place {
  const sent: string[] = [];
  const grants: string[] = [];
  const connected = new Set<string>();
  const dispatcher: Dispatcher = createDispatcher({ roster: () => roster, limit: 100 });
  const roster = createRoster((agentId) => dispatcher.onFree(agentId));
  const hub: Pick<Hub, "has" | "send"> = {
    has: (agentId) => connected.has(agentId),
    send(agentId, frame: NodeFrame) {
      if (!connected.has(agentId)) return false;
      sent.push(`${agentId}: ${frame.type} ${"taskId" in frame ? frame.taskId : ""}`);
      return true;
    },
  };
  const exchange = createExchange({
    nodeId,
    dispatcher,
    roster,
    hub: () => hub,
    clock,
    logger: noopLogger,
    peers: () => [...places.keys()].filter((id) => id !== nodeId),
    send: (to, message) => send(nodeId, to, message),
    whereIs: async (agentId) => sessions.get(agentId),
    executions: {
      get: async (id) => {
        const value = records.get(id);
        const stored: Stored<ExecutionRecord> | undefined = value && {
          id,
          value,
          version: 1,
          createdAtMs: startMs,
          updatedAtMs: startMs,
          expiresAtMs: undefined,
        };
        return stored;
      },
      inbox: async (id) => inboxes.get(id) ?? {},
    },
    nowMs: () => startMs,
  });
  const made: Place = {
    exchange,
    roster,
    sent,
    grants,
    join(agentId, slots = 1) {
      connected.add(agentId);
      sessions.set(agentId, nodeId);
      roster.put({ agentId, capabilities: ["c"], slots });
    },
    seek: (taskId, excluded = []) =>
      exchange.seek({
        taskId,
        capabilities: ["c"],
        excluded: () => new Set(excluded),
        onGranted: (grant: Grant) => grants.push(`${taskId}=${grant.agentId}@${grant.nodeId}`),
      }),
  };
  places.set(nodeId, made);
  return made;
}

function delivery(taskId: string, agentId: string, nodeId: string, resend = false): Delivery {
  const what = { pattern: "p", capabilities: ["c"], input: 1, deadlineAtMs: startMs + 30_000 };
  return { taskId, attempt: 1, agentId, nodeId, ...what, resend };
}

/** Notes in the journal that the agent was chosen for the task (X3). */
function journal(taskId: string, agentId: string, nodeId: string): void {
  const [id = ""] = taskId.split(":");
  const task = taskOf(taskId, { status: "assigned", assignments: [{ agentId, nodeId }] });
  records.set(id, recordOf(id, { tasks: [task] }));
}

const held = ({ roster }: Place, agentId: string): string[] => [...(roster.get(agentId)?.held ?? [])];

describe("the exchange", () => {
  let here: Place;
  let there: Place;

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    [records, places, sessions, messages, lost] = [new Map(), new Map(), new Map(), [], undefined];
    inboxes = new Map();
    here = place("here");
    there = place("there");
  });

  it("takes an agent of its own at once, and asks nobody", () => {
    here.join("a");
    here.seek("exec_1:0");
    expect(here.grants).toEqual(["exec_1:0=a@here"]);
    expect(messages).toEqual([]);
  });

  it("asks the others in one message for all tasks of a tick, and takes what they offer", async () => {
    there.join("b", 2);
    here.seek("exec_1:0");
    here.seek("exec_2:0");
    await clock.settle();
    expect(messages.filter((line) => line.endsWith("ask"))).toEqual(["here>there ask"]);
    expect(here.grants).toEqual(["exec_1:0=b@there", "exec_2:0=b@there"]);
  });

  it("does not give the offered agent to somebody else before the task has come", async () => {
    there.join("b");
    there.seek("exec_9:0");
    there.roster.release("b", "exec_9:0");
    here.seek("exec_1:0");
    await clock.settle();
    expect(here.grants).toEqual(["exec_1:0=b@there"]);
    there.seek("exec_2:0");
    await clock.settle();
    expect(held(there, "b")).toEqual(["exec_1:0"]);
    expect(there.grants).toEqual(["exec_9:0=b@there"]);
  });

  it("keeps asking while a task waits, and is served when an agent comes free", async () => {
    here.seek("exec_1:0");
    lost = /ask$/;
    await clock.settle();
    lost = undefined;
    await clock.advance(5000);
    there.join("b");
    await clock.settle();
    expect(here.grants).toEqual(["exec_1:0=b@there"]);
  });

  it("says whom a task must not be given to", async () => {
    there.join("b");
    here.seek("exec_1:0", ["b"]);
    await clock.settle();
    expect(here.grants).toEqual([]);
    there.join("c");
    await clock.settle();
    expect(here.grants).toEqual(["exec_1:0=c@there"]);
  });

  it("gives back an agent that must not have the task any more when the offer comes (X3)", async () => {
    const excluded: string[] = [];
    here.seek("exec_1:0", excluded);
    await clock.settle();
    excluded.push("b");
    there.join("b");
    await clock.settle();
    expect(messages).toContain("there>here offer");
    expect(here.grants).toEqual([]);
    expect(held(there, "b")).toEqual([]);
  });

  it("gives back what was offered twice or too late", async () => {
    const further = place("further");
    there.join("b");
    further.join("c");
    const withdraw = here.seek("exec_1:0");
    await clock.settle();
    expect(here.grants).toHaveLength(1);
    withdraw();
    await clock.settle();
    const stillHeld = [...held(there, "b"), ...held(further, "c")];
    expect(stillHeld, "only the agent that was granted is held").toEqual(["exec_1:0"]);
  });

  it("frees an agent whose offer nobody took up, though the answer was lost", async () => {
    there.join("b");
    lost = /offer$/;
    here.seek("exec_1:0");
    await clock.settle();
    expect(held(there, "b")).toEqual(["exec_1:0"]);
    here.exchange.close();
    await clock.advance(5000);
    expect(held(there, "b")).toEqual([]);
  });

  it("forgets what was asked for by a node that does not ask again", async () => {
    here.seek("exec_1:0");
    await clock.settle();
    here.exchange.close();
    await clock.advance(10_000);
    there.join("b");
    expect(messages.filter((line) => line.endsWith("offer"))).toEqual([]);
  });

  it("withdraws from the others what is not wanted any more", async () => {
    const withdraw = here.seek("exec_1:0");
    await clock.settle();
    withdraw();
    await clock.settle();
    there.join("b");
    expect(messages).toEqual(["here>there ask", "here>there withdraw"]);
    expect(held(there, "b")).toEqual([]);
  });

  it("brings a task to an agent of its own", () => {
    here.join("a");
    here.exchange.deliver(delivery("exec_1:0", "a", "here"));
    expect(here.sent).toEqual(["a: task exec_1:0"]);
  });

  it("brings a task through the agent's node, which reads it from the journal", async () => {
    there.join("b");
    journal("exec_1:0", "b", "there");
    here.exchange.deliver(delivery("exec_1:0", "b", "there"));
    await clock.settle();
    expect(there.sent).toEqual(["b: task exec_1:0"]);
    expect(held(there, "b")).toEqual(["exec_1:0"]);
  });

  it("brings nothing that is not journaled as this agent's (X3)", async () => {
    there.join("b");
    journal("exec_1:0", "somebody-else", "there");
    here.exchange.deliver(delivery("exec_1:0", "b", "there"));
    here.exchange.deliver(delivery("exec_2:0", "b", "there"));
    await clock.settle();
    expect(there.sent).toEqual([]);
    expect(held(there, "b")).toEqual([]);
  });

  it("brings nothing again that has its result: its agent may have forgotten it, and would begin anew", async () => {
    there.join("b");
    for (const task of ["exec_1:0", "exec_2:0"]) journal(task, "b", "there");
    inboxes.set("exec_1", { "result:exec_1:0": "{}" });
    for (const task of ["exec_1:0", "exec_2:0"]) here.exchange.deliver(delivery(task, "b", "there", true));
    await clock.settle();
    expect(there.sent).toEqual(["b: task exec_2:0"]);
  });

  it("brings no former attempt, though it was this agent's as well (X3)", async () => {
    there.join("b");
    const assignments = ["b", "b"].map((agentId) => ({ agentId, nodeId: "there" }));
    records.set(
      "exec_1",
      recordOf("exec_1", { tasks: [taskOf("exec_1:0", { status: "assigned", assignments })] }),
    );
    here.exchange.deliver(delivery("exec_1:0", "b", "there"));
    await clock.settle();
    expect(there.sent).toEqual([]);
  });

  it("finds an agent that has moved when it sends again", async () => {
    const further = place("further");
    further.join("b");
    journal("exec_1:0", "b", "there");
    here.exchange.deliver(delivery("exec_1:0", "b", "there", true));
    await clock.settle();
    expect(further.sent).toEqual(["b: task exec_1:0"]);
  });

  it("cancels where the agent is, and frees its slot", async () => {
    there.join("b");
    journal("exec_1:0", "b", "there");
    here.exchange.deliver(delivery("exec_1:0", "b", "there"));
    await clock.settle();
    here.exchange.cancel(delivery("exec_1:0", "b", "there"), "cancelled");
    await clock.settle();
    expect(there.sent).toEqual(["b: task exec_1:0", "b: cancel exec_1:0"]);
    expect(held(there, "b")).toEqual([]);
  });

  it("leaves no timer once nothing is sought or held", async () => {
    here.seek("exec_1:0");
    here.seek("exec_2:0");
    await clock.settle();
    here.exchange.close();
    there.exchange.close();
    expect(clock.timers).toBe(0);
  });
});
