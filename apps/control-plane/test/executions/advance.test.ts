import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  apply,
  type ExecutionEvent,
  type ExecutionState,
  excludedAgents,
  nextDueMs,
  settle,
  tasksToSeek,
} from "../../src/executions/advance.ts";
import { type ExecutionRecord, isFinal } from "../../src/executions/record.ts";

const startMs = Date.UTC(2026, 0, 1);
const id = "exec_1";
const taskId = (index: number): string => `${id}:${index}`;

function stateOf(definition: Partial<ExecutionRecord["definition"]> = {}): ExecutionState {
  const agents = definition.agents ?? { min: 3, max: 3 };
  const record: ExecutionRecord = {
    status: "pending",
    pattern: "p",
    nodeId: "node-0",
    owner: "node-0#a",
    tasks: Array.from({ length: agents.max }, (_, index) => ({
      id: taskId(index),
      status: "waiting",
      assignments: [],
      failures: 0,
    })),
    createdAt: new Date(startMs).toISOString(),
    definition: {
      name: "p",
      capabilities: ["c"],
      retries: 1,
      aggregate: { strategy: "majority" },
      ...definition,
      agents,
    },
    deadlineAtMs: startMs + 30_000,
    adoptions: 0,
    requestDigest: "",
  };
  return { record, results: new Map() };
}

/** Applies the events in one turn, as the driver does. */
function turn(
  state: ExecutionState,
  events: readonly ExecutionEvent[],
  nowMs: number = startMs,
): ExecutionState {
  return settle(
    events.reduce((before, event) => apply(before, event, nowMs), state),
    nowMs,
  );
}

const granted = (index: number, agentId = `agent_${index}`): ExecutionEvent => ({
  kind: "granted",
  taskId: taskId(index),
  agentId,
  nodeId: "node-0",
});
const result = (
  index: number,
  value: unknown,
  { attempt = 1, agentId = `agent_${index}` } = {},
): ExecutionEvent => ({
  kind: "result",
  taskId: taskId(index),
  attempt,
  agentId,
  agentName: agentId,
  result: value,
});
const failure = (index: number, { attempt = 1, retryable = true } = {}): ExecutionEvent => ({
  kind: "failure",
  taskId: taskId(index),
  attempt,
  agentId: `agent_${index}`,
  error: { code: "broken", message: "it broke" },
  retryable,
});
const lost = (index: number, { attempt = 1, refused = false } = {}): ExecutionEvent => ({
  kind: "lost",
  taskId: taskId(index),
  attempt,
  refused,
});

describe("an execution", () => {
  it("is running, with the time that it began, once an agent has a task", () => {
    const { record } = turn(stateOf(), [granted(0)]);
    expect(record.status).toBe("running");
    expect(record.startedAt).toBe(new Date(startMs).toISOString());
  });

  it("aggregates once every task has a result, and then is completed without an owner", () => {
    const all = [granted(0), granted(1), granted(2), result(0, "a"), result(1, "a"), result(2, "b")];
    const aggregating = turn(stateOf(), all);
    expect(aggregating.record.status).toBe("aggregating");
    const { record } = turn(aggregating, [{ kind: "aggregated", result: "a" }]);
    expect(record).toMatchObject({ status: "completed", result: "a", finishedAt: expect.any(String) });
    expect(record.owner).toBeUndefined();
  });

  it("takes no further result once it aggregates: what was used is settled (X4)", () => {
    const aggregate = { strategy: "quorum", quorum: 2 } as const;
    const quorum = stateOf({ agents: { min: 2, max: 3 }, aggregate });
    const three = [granted(0), granted(1), granted(2)];
    const aggregating = turn(quorum, [...three, result(0, "a"), result(1, "a")]);
    expect(aggregating.record.status).toBe("aggregating");
    expect(turn(aggregating, [result(2, "b")])).toEqual(aggregating);
  });

  it("asks one agent at a time for a task (X3)", () => {
    const { record } = turn(stateOf(), [granted(0), granted(0, "agent_9")]);
    expect(record.tasks[0]?.assignments.map(({ agentId }) => agentId)).toEqual(["agent_0"]);
  });

  it("does not take the failure of a former attempt for one of the present one", () => {
    const again = turn(stateOf(), [granted(0), lost(0), granted(0, "agent_9")]);
    expect(turn(again, [failure(0, { attempt: 1 })])).toEqual(again);
  });

  it("counts the first result of a task, of whatever attempt (X4)", () => {
    const retried = turn(stateOf(), [granted(0), lost(0), granted(0, "agent_9")]);
    const { results } = turn(retried, [
      result(0, "late"),
      result(0, "second", { attempt: 2, agentId: "agent_9" }),
    ]);
    expect(results.get(taskId(0))?.result).toBe("late");
  });

  it("takes no result of an agent that it did not ask", () => {
    const { results } = turn(stateOf(), [granted(0), result(0, "forged", { agentId: "agent_7" })]);
    expect(results.size).toBe(0);
  });

  it("does not count what our own failures cost against the retries (X8)", () => {
    let state = stateOf({ retries: 0 });
    for (let attempt = 1; attempt <= 5; attempt += 1) state = turn(state, [granted(0), lost(0, { attempt })]);
    expect(state.record.tasks[0]).toMatchObject({ status: "waiting", failures: 0 });
  });

  it("retries a failed task after a pause, and fails when too few results can come in", () => {
    const failedOnce = turn(stateOf(), [granted(0), failure(0)]);
    expect(tasksToSeek(failedOnce.record, startMs).map((task) => task.id)).not.toContain(taskId(0));
    expect(nextDueMs(failedOnce.record, startMs)).toBe(startMs + 100);
    expect(tasksToSeek(failedOnce.record, startMs + 100).map((task) => task.id)).toContain(taskId(0));
    const { record } = turn(failedOnce, [granted(0), failure(0, { attempt: 2 })]);
    expect(record).toMatchObject({ status: "failed", error: { code: "too_few_results" } });
  });

  it("makes no attempt more when the agent says that another one is of no use", () => {
    const { record } = turn(stateOf(), [granted(0), failure(0, { retryable: false })]);
    expect(record.error?.code).toBe("too_few_results");
  });

  it("asks no agent twice that may still answer, but one that refused may have another task (X3)", () => {
    const asked = turn(stateOf(), [granted(0, "x"), lost(0), granted(0, "y")]);
    expect(excludedAgents(asked.record, taskId(1))).toEqual(new Set(["x", "y"]));
    expect(excludedAgents(asked.record, taskId(0))).toEqual(new Set());
    const refused = turn(stateOf(), [granted(0, "x"), lost(0, { refused: true })]);
    expect(excludedAgents(refused.record, taskId(1))).toEqual(new Set());
  });

  it("is out of time at its deadline, and says whether agents were missing or slow", () => {
    expect(turn(stateOf(), [], startMs + 30_000).record.error?.code).toBe("no_agents");
    expect(turn(turn(stateOf(), [granted(0)]), [], startMs + 30_000).record.error?.code).toBe("timeout");
  });

  it("makes do with the results that it has at its deadline, if they are enough", () => {
    const state = turn(stateOf({ agents: { min: 1, max: 3 } }), [granted(0), granted(1), result(0, "a")]);
    expect(state.record.status).toBe("running");
    expect(turn(state, [], startMs + 30_000).record.status).toBe("aggregating");
  });

  it("gives a function its time, and more for its turn, though the deadline is what ended the wait", () => {
    const aggregate = { strategy: "function", module: "m.js", timeout: "2s" } as const;
    const both = stateOf({ agents: { min: 1, max: 2 }, aggregate });
    const waiting = turn(both, [granted(0), granted(1), result(0, "a")]);
    const late = turn(waiting, [], startMs + 30_000);
    expect(late.record.status).toBe("aggregating");
    expect(turn(late, [], startMs + 33_999)).toEqual(late);
    expect(turn(late, [], startMs + 34_000).record.error?.code).toBe("timeout");
  });

  it("does not wait for agents that are not there once it has enough results", () => {
    const state = turn(stateOf({ agents: { min: 1, max: 3 } }), [granted(0), result(0, "a")]);
    expect(state.record.status).toBe("aggregating");
  });

  it("does not wait for the others when the first result decides", () => {
    const first = stateOf({ aggregate: { strategy: "first" } });
    const { record } = turn(first, [granted(0), granted(1), result(1, "a")]);
    expect(record.status).toBe("aggregating");
    expect(record.tasks.map((task) => task.status)).toEqual(["cancelled", "completed", "cancelled"]);
  });

  it("gives back the time that must not count (X8)", () => {
    const { record } = turn(stateOf(), [{ kind: "extended", byMs: 5000 }], startMs + 30_000);
    expect(record.status).toBe("pending");
    expect(record.deadlineAtMs).toBe(startMs + 35_000);
  });

  it("never changes once it is final (S6), and takes any event twice as once", () => {
    const index = fc.integer({ min: 0, max: 2 });
    const attempt = fc.integer({ min: 1, max: 3 });
    const event: fc.Arbitrary<ExecutionEvent> = fc.oneof(
      fc
        .tuple(index, fc.constantFrom("agent_0", "agent_1", "agent_2", "x"))
        .map(([at, agent]) => granted(at, agent)),
      fc
        .tuple(index, attempt, fc.constantFrom("agent_0", "agent_1", "agent_2", "x"))
        .map(([at, nth, agentId]) => result(at, "v", { attempt: nth, agentId })),
      fc
        .tuple(index, attempt, fc.boolean())
        .map(([at, nth, retryable]) => failure(at, { attempt: nth, retryable })),
      fc.tuple(index, attempt, fc.boolean()).map(([at, nth, refused]) => lost(at, { attempt: nth, refused })),
      fc.constant<ExecutionEvent>({ kind: "cancel", reason: "no" }),
      fc.constant<ExecutionEvent>({ kind: "aggregated", result: "v" }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state = stateOf({ retries: 2 });
        for (const each of events) {
          const next = turn(state, [each]);
          if (isFinal(state.record.status)) expect(next.record).toBe(state.record);
          if (each.kind === "result") expect(turn(next, [each]).results).toEqual(next.results);
          for (const [task, letter] of state.results) expect(next.results.get(task)).toBe(letter);
          const counted = [...next.results.values()].map(({ agentId }) => agentId);
          const distinctTasks = new Set(next.results.keys());
          expect(distinctTasks.size).toBe(counted.length);
          state = next;
        }
      }),
    );
  });
});
