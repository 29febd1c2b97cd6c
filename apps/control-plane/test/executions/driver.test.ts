import { noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import type { Broker, Courier, Delivery, Seek } from "../../src/executions/broker.ts";
import { createDriver, type Driver } from "../../src/executions/driver.ts";
import type { Letter } from "../../src/executions/inbox.ts";
import type { Journal, JournalChange, JournalOutcome } from "../../src/executions/journal.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import { createStoreTime } from "../../src/store-time.ts";

const id = "exec_1";
const graceMs = 5000;

/** A world of one execution: everything that its driver touches, recorded. */
function world(agents: number) {
  const clock: VirtualClock = createVirtualClock();
  const writes: JournalChange[] = [];
  const signals: AbortSignal[] = [];
  const delivered: Delivery[] = [];
  const cancelled: string[] = [];
  const released: string[] = [];
  const seeks = new Map<string, Seek>();
  let answer: (change: JournalChange) => Promise<JournalOutcome> = async ({ version }) => ({
    outcome: "written",
    version: version + 1,
    outageMs: 0,
  });
  const journal: Journal = {
    async create(_, created, passed) {
      writes.push({ id, owner: "", version: 0, before: created, after: created, passed, letters: [] });
      return { outcome: "created", version: 1, storeTimeMs: clock.wall() };
    },
    write(change, signal) {
      writes.push(change);
      signals.push(signal);
      return answer(change);
    },
  };
  const broker: Broker = {
    seek(seek) {
      seeks.set(seek.taskId, seek);
      return () => seeks.delete(seek.taskId);
    },
    release: (taskId) => released.push(taskId),
  };
  const courier: Courier = {
    deliver: (delivery) => delivered.push(delivery),
    cancel: ({ taskId }) => cancelled.push(taskId),
  };
  const storeTime = createStoreTime(clock, Date.UTC(2026, 0, 1));
  const record: ExecutionRecord = {
    status: "pending",
    pattern: "p",
    nodeId: "node-0",
    owner: "node-0#a",
    input: "in",
    tasks: Array.from({ length: agents }, (_, index) => ({
      id: `${id}:${index}`,
      status: "waiting",
      assignments: [],
      failures: 0,
    })),
    createdAt: new Date(storeTime.now()).toISOString(),
    definition: {
      name: "p",
      capabilities: ["c"],
      agents: { min: agents, max: agents },
      retries: 0,
      aggregate: { strategy: "majority" },
    },
    deadlineAtMs: storeTime.now() + 60_000,
    adoptions: 0,
    requestDigest: "",
  };
  const ended: string[] = [];
  const parts = {
    ...{ journal, broker, courier, clock, storeTime },
    aggregator: { run: async () => undefined },
    logger: noopLogger,
    reconnectGraceMs: graceMs,
  };
  const start = (change: Partial<ExecutionRecord> = {}, letters: readonly Letter[] = []): Driver =>
    createDriver(parts, {
      id,
      record: { ...record, ...change },
      version: 1,
      letters,
      owner: "node-0#a",
      onEnded: (how) => ended.push(how),
    });
  return {
    clock,
    storeTime,
    record,
    writes,
    signals,
    delivered,
    cancelled,
    released,
    seeks,
    ended,
    start,
    answerWith(next: typeof answer) {
      answer = next;
    },
    grant(index: number, agentId = `agent_${index}`) {
      seeks.get(`${id}:${index}`)?.onGranted({ agentId, nodeId: "node-0" });
    },
  };
}

const resultOf = (index: number, value: unknown): Letter => ({
  kind: "result",
  taskId: `${id}:${index}`,
  attempt: 1,
  agentId: `agent_${index}`,
  agentName: "a",
  result: value,
});

describe("a driver", () => {
  let at: ReturnType<typeof world>;
  beforeEach(() => {
    at = world(2);
  });

  it("journals an assignment before its task leaves (X3)", async () => {
    let written: (outcome: JournalOutcome) => void = () => {};
    at.answerWith(() => new Promise((resolve) => (written = resolve)));
    at.start();
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    expect(at.writes).toHaveLength(1);
    expect(at.delivered).toEqual([]);
    written({ outcome: "written", version: 2, outageMs: 0 });
    await at.clock.settle();
    expect(at.delivered.map(({ taskId }) => taskId)).toEqual([`${id}:0`]);
  });

  it("seeks no agent for a task that is held for another one and not yet in the journal (X3)", async () => {
    at.answerWith(() => new Promise(() => {}));
    at.start();
    await at.clock.settle();
    at.grant(0, "agent_x");
    expect([...(at.seeks.get(`${id}:1`)?.excluded() ?? [])]).toEqual(["agent_x"]);
    await at.clock.settle();
    expect([...(at.seeks.get(`${id}:1`)?.excluded() ?? [])]).toEqual(["agent_x"]);
  });

  it("goes on with the time that was left when nobody drove it any more, and says so with its next write (X8)", async () => {
    at = world(1);
    const nowMs = Date.UTC(2026, 0, 1);
    const driver = at.start({ ownerlessSinceMs: nowMs - 5000 });
    await at.clock.settle();
    expect(driver.record()).toMatchObject({ deadlineAtMs: nowMs + 65_000 });
    expect(at.writes).toEqual([]);
    at.grant(0);
    await at.clock.settle();
    expect(at.writes[0]?.after).toMatchObject({ deadlineAtMs: nowMs + 65_000 });
    expect(at.writes[0]?.after).not.toHaveProperty("ownerlessSinceMs");
  });

  it("takes letters only while one agent was asked: another one's may lie there already (X4)", async () => {
    at = world(1);
    const assigned = (...agents: string[]) => ({
      id: `${id}:0`,
      status: "assigned" as const,
      assignments: agents.map((agentId) => ({ agentId, nodeId: "node-0" })),
      failures: 0,
    });
    const [once, twice] = [at.start({ tasks: [assigned("a")] }), at.start({ tasks: [assigned("a", "b")] })];
    await at.clock.settle();
    expect([once, twice].map((driver) => driver.mayTake(resultOf(0, "x")))).toEqual([true, false]);
    for (const driver of [once, twice]) driver.drop();
  });

  it("passes on the letters that it holds when it ends (X5)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    let puts = 0;
    const put = async () => {
      puts += 1;
      return { outcome: "ok" } as const;
    };
    const taken = driver.take(resultOf(0, "x"), { key: "result", text: "x", put });
    await at.clock.settle();
    driver.drop();
    await at.clock.advance(100);
    expect(puts).toBe(1);
    expect(await taken).toEqual({ outcome: "ok" });
  });

  it("passes a letter on that it gets after its end (X5)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    driver.drop();
    const put = async () => ({ outcome: "ok" }) as const;
    expect(await driver.take(resultOf(0, "x"), { key: "result", text: "x", put })).toEqual({ outcome: "ok" });
  });

  it("sends what its former owner assigned as sent again: the agent may have moved, or answered", async () => {
    const assignments = [{ agentId: "agent_0", nodeId: "node-1" }];
    const task = { id: `${id}:0`, status: "assigned" as const, assignments, failures: 0 };
    const driver = at.start({ status: "running", tasks: [task, { ...task, id: `${id}:1` }] });
    await at.clock.settle();
    expect(at.delivered.map(({ resend }) => resend)).toEqual([true, true]);
    driver.push({ kind: "lost", taskId: `${id}:0`, attempt: 1, refused: false });
    await at.clock.settle();
    at.grant(0, "agent_9");
    await at.clock.settle();
    expect(at.delivered.at(-1)).toMatchObject({ agentId: "agent_9", attempt: 2, resend: false });
  });

  it("puts what happens in one tick into one write", async () => {
    at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    expect(at.writes.map(({ after }) => after.status)).toEqual(["running"]);
  });

  it("sends a task again until its agent has accepted it, and gives the attempt up after the grace (X8)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    driver.accepted(`${id}:1`, 1);
    await at.clock.advance(graceMs);
    expect(at.delivered.filter(({ taskId }) => taskId === `${id}:1`)).toHaveLength(1);
    expect(at.delivered.filter(({ taskId }) => taskId === `${id}:0`).length).toBeGreaterThan(1);
    expect(driver.record().tasks.map((task) => task.status)).toEqual(["waiting", "assigned"]);
    expect(driver.record().tasks[0]?.failures).toBe(0);
    expect([...at.seeks.keys()]).toEqual([`${id}:0`]);
  });

  it("sends nothing any more once it was dropped, though a write was under way", async () => {
    let written: (outcome: JournalOutcome) => void = () => {};
    at.answerWith(() => new Promise((resolve) => (written = resolve)));
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    expect(at.signals.map(({ aborted }) => aborted)).toEqual([false]);
    driver.drop();
    expect(at.signals.map(({ aborted }) => aborted)).toEqual([true]);
    written({ outcome: "written", version: 2, outageMs: 0 });
    await driver.stopped();
    await at.clock.advance(60_000);
    expect(at.delivered).toEqual([]);
    expect(at.clock.timers).toBe(0);
  });

  it("gives back an agent that it can't use, and stops when another node owns the execution", async () => {
    at.answerWith(async () => ({ outcome: "not-ours" }));
    at.start();
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    expect(at.released).toEqual([`${id}:0`]);
    expect(at.ended).toEqual(["not-ours"]);
    expect(at.clock.timers).toBe(0);
  });

  it("puts a result into the inbox though it writes nothing else (X5)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    const before = at.writes.length;
    let deposits = 0;
    const put = async () => {
      deposits += 1;
      return { outcome: "ok" } as const;
    };
    const taken = driver.take(resultOf(0, "x"), { key: "result", text: "x", put });
    await at.clock.advance(100);
    expect(await taken).toEqual({ outcome: "ok" });
    expect([deposits, at.writes.length]).toEqual([1, before]);
  });

  it("lets no letter go by itself that a write already carries, however long that takes (X5)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    let written: (outcome: JournalOutcome) => void = () => {};
    at.answerWith(() => new Promise((resolve) => (written = resolve)));
    let puts = 0;
    const put = async () => {
      puts += 1;
      return { outcome: "final" } as const;
    };
    const first = driver.take(resultOf(0, "x"), { key: "first", text: "x", put });
    await at.clock.settle();
    const second = driver.take(resultOf(1, "x"), { key: "second", text: "x", put });
    await at.clock.advance(100);
    expect(at.writes.at(-1)?.enclosed?.map(({ key }) => key)).toEqual(["first", "second"]);
    written({ outcome: "written", version: 3, outageMs: 0 });
    expect(await Promise.all([first, second])).toEqual([{ outcome: "ok" }, { outcome: "ok" }]);
    expect(puts).toBe(0);
  });

  it("completes, and leaves nothing behind", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    for (const index of [0, 1]) driver.push(resultOf(index, "x"));
    await at.clock.settle();
    expect(at.writes.map(({ after }) => after.status)).toEqual(["running", "completed"]);
    expect(at.writes[1]?.passed).toEqual(["aggregating", "completed"]);
    expect(driver.record().result).toBe("x");
    expect(at.ended).toEqual(["finished"]);
    expect(at.cancelled).toEqual([]);
    expect(at.clock.timers).toBe(0);
  });

  it("resumes an aggregation with the results that it had used, whatever came in later (attack A4)", async () => {
    const done = (index: number) => ({
      id: `${id}:${index}`,
      status: "completed" as const,
      assignments: [{ agentId: `agent_${index}`, nodeId: "node-1" }],
      failures: 0,
    });
    const cancelled = { ...done(1), status: "cancelled" as const };
    const driver = at.start({ status: "aggregating", tasks: [done(0), cancelled] }, [
      resultOf(0, "x"),
      resultOf(1, "y"),
    ]);
    await at.clock.settle();
    expect(driver.record()).toMatchObject({ status: "completed", result: "x" });
  });

  it("cancels what its agents still work on when it is cancelled", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    driver.push(resultOf(0, "x"));
    await at.clock.settle();
    driver.push({ kind: "cancel", reason: "no more" });
    await at.clock.settle();
    expect(at.cancelled).toEqual([`${id}:1`]);
    expect(driver.record().status).toBe("cancelled");
  });

  it("adds to the deadline what the store's absence took (X8)", async () => {
    const driver = at.start();
    const deadlineAtMs = driver.record().deadlineAtMs;
    at.answerWith(async ({ version }) => ({
      outcome: "written",
      version: version + 1,
      outageMs: version === 1 ? 7000 : 0,
    }));
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    expect(driver.record().deadlineAtMs).toBe(deadlineAtMs + 7000);
  });

  it("is out of time by the store's clock, also where the bell rang too early", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    await at.clock.settle();
    await at.clock.advance(50_000);
    at.storeTime.observe(at.storeTime.now() - 5000);
    await at.clock.advance(14_900);
    expect(driver.record().status).toBe("running");
    await at.clock.advance(200);
    expect(driver.record()).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });

  it("seeks an agent for a failed task when its wait is over, long before the deadline", async () => {
    const { definition } = at.record;
    const driver = at.start({ definition: { ...definition, retries: 1 } });
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    const error = { code: "e", message: "m" };
    driver.push({
      ...{ kind: "failure", taskId: `${id}:0`, attempt: 1, agentId: "agent_0" },
      ...{ error, retryable: true },
    });
    await at.clock.settle();
    expect([...at.seeks.keys()]).toEqual([]);
    await at.clock.advance(100);
    expect([...at.seeks.keys()]).toEqual([`${id}:0`]);
  });

  it("ends as failed when its result is too large to be kept", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    const refused = {
      outcome: "refused",
      code: "too_large",
      message: "writing it: it is too large",
    } as const;
    at.answerWith(async ({ version, after }) =>
      after.status === "completed" ? refused : { outcome: "written", version: version + 1, outageMs: 0 },
    );
    for (const index of [0, 1]) driver.push(resultOf(index, "x"));
    await at.clock.settle();
    expect(driver.record()).toMatchObject({ status: "failed", error: { code: "too_large" } });
    expect(at.ended).toEqual(["finished"]);
  });

  it("does not try for ever to write an end that is too large", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.answerWith(async () => ({ outcome: "refused", code: "too_large", message: "it is too large" }));
    driver.push({ kind: "cancel", reason: "no more" });
    await at.clock.settle();
    expect(at.writes.map(({ after }) => after.status)).toEqual(["cancelled", "failed"]);
    expect(at.ended).toEqual(["not-ours"]);
  });

  it("writes its record anew when it is told that the store has lost it, with the results that it has (X6)", async () => {
    const driver = at.start();
    await at.clock.settle();
    at.grant(0);
    at.grant(1);
    await at.clock.settle();
    driver.push(resultOf(0, "x"));
    await at.clock.settle();
    const before = at.writes.length;
    driver.restore();
    driver.restore();
    await at.clock.settle();
    expect(at.writes).toHaveLength(before + 1);
    const last = at.writes.at(-1);
    expect(last?.after).toBe(driver.record());
    expect(last?.letters).toEqual([resultOf(0, "x")]);
  });
});
