import { noopLogger, ParallaxError, seededRandom } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ResultLetter } from "../../src/executions/inbox.ts";
import { createJournal, eventOf, type Journal, type JournalChange } from "../../src/executions/journal.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import { createStoreTime, type StoreTime } from "../../src/store-time.ts";
import { type Link, openTestStore, recordOf, startMs, type TestStore, taskOf } from "../support/records.ts";

const id = "exec_1";
const created = recordOf(id);
const running: ExecutionRecord = {
  ...created,
  status: "running",
  startedAt: new Date(startMs).toISOString(),
  tasks: [taskOf(`${id}:0`, { status: "assigned", assignments: [{ agentId: "agent_1", nodeId: "node-0" }] })],
};
const { owner: _owner, ...unowned } = running;
const completed: ExecutionRecord = { ...unowned, status: "completed", result: "x" };
const letter: ResultLetter = {
  kind: "result",
  taskId: `${id}:0`,
  attempt: 1,
  agentId: "agent_1",
  agentName: "a",
  result: "x",
};

describe("the journal", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let storeTime: StoreTime;
  let journal: Journal;
  /** What becomes of a call to the store: it is done, never arrives, or its answer is lost. */
  let network: "up" | "down" | "answers-lost";
  const never = new AbortController().signal;

  const link: Link = async (run) => {
    if (network === "down") throw new ParallaxError("timeout", "the request was lost");
    const result = run();
    if (network === "answers-lost") throw new ParallaxError("timeout", "the answer was lost");
    return result;
  };

  beforeEach(async () => {
    clock = createVirtualClock({ startWallMs: startMs });
    network = "up";
    at = openTestStore(clock, { link, timeoutMs: 1000 });
    storeTime = createStoreTime(clock, startMs);
    const { executions } = at.collections;
    journal = createJournal({
      executions,
      clock,
      random: seededRandom(1),
      storeTime,
      logger: noopLogger,
      retentionMs: 60_000,
    });
    await executions.create(id, created);
  });
  afterEach(() => at.close());

  const change = (changes: Partial<JournalChange> = {}): JournalChange => ({
    id,
    owner: "node-0#a",
    version: 1,
    before: created,
    after: running,
    letters: [],
    ...changes,
  });
  const stored = async (): Promise<ExecutionRecord | undefined> =>
    (await at.collections.executions.get(id))?.value;

  it("writes what changed, and its event with it (S1)", async () => {
    expect(await journal.write(change(), never)).toEqual({ outcome: "written", version: 2, outageMs: 0 });
    expect(await stored()).toEqual(running);
    const log = await at.collections.executions.log(id);
    expect(log?.map(({ event }) => event)).toEqual([
      { type: "execution-running", id, status: "running", pattern: "p", nodeId: "node-0", version: 2 },
    ]);
  });

  it("writes an event for each status that was passed, and none where the status stays (S1)", async () => {
    await journal.write(change({ after: completed, passed: ["running", "aggregating", "completed"] }), never);
    await journal.write(change({ before: created, after: { ...created, deadlineAtMs: 0 } }), never);
    const log = await at.collections.executions.log(id);
    expect(log?.map(({ event }) => event.type)).toEqual([
      "execution-running",
      "execution-aggregating",
      "execution-completed",
    ]);
  });

  it("puts the letters that it counts into the inbox with the write (X5)", async () => {
    const enclosed = [{ key: "result:0", text: "x" }];
    // The write arrives and its answer is lost: whoever adopts it now finds the letter, too.
    network = "answers-lost";
    const writing = journal.write(change({ after: completed, enclosed }), never);
    await clock.settle();
    network = "up";
    expect(await stored()).toEqual(completed);
    expect(await at.collections.executions.inbox(id)).toEqual({ "result:0": "x" });
    await clock.advance(3000);
    expect(await writing).toMatchObject({ outcome: "written", version: 2 });
  });

  it("does not write what rests on another letter than lies in the inbox (X4)", async () => {
    const { executions } = at.collections;
    await executions.deposit(id, "result:0", "y");
    const enclosed = [{ key: "result:0", text: "x" }];
    expect(await journal.write(change({ after: completed, enclosed }), never)).toEqual({ outcome: "stale" });
    expect(await stored()).toEqual(created);
  });

  it("puts letters that go by themselves into the inbox before it writes what they led to (X5)", async () => {
    const { executions } = at.collections;
    let before: ExecutionRecord | undefined;
    const deposit = async (): Promise<void> => {
      await executions.deposit(id, "result:0", "x");
      before = await stored();
    };
    const writing = journal.write(change({ after: completed, deposits: [deposit] }), never);
    expect(await writing).toMatchObject({ outcome: "written" });
    expect(before?.status).toBe("pending");
    expect(await executions.inbox(id)).toEqual({ "result:0": "x" });
  });

  it("takes away what is not there any more: an ended execution has no owner", async () => {
    await journal.write(change({ after: completed }), never);
    expect(await stored()).toEqual(completed);
    expect(await at.collections.executions.values("owner")).toEqual({});
  });

  it("lets an ended execution expire after the retention, and an open one never", async () => {
    await journal.write(change(), never);
    expect((await at.collections.executions.get(id))?.expiresAtMs).toBeUndefined();
    await journal.write(change({ version: 2, before: running, after: completed }), never);
    expect((await at.collections.executions.get(id))?.expiresAtMs).toBe(startMs + 60_000);
  });

  it("learns the store's time with each write (T2)", async () => {
    clock.stepWall(5000);
    await journal.write(change(), never);
    expect(storeTime.now()).toBe(startMs + 5000);
  });

  it.each([
    ["another owner", "stale", change({ owner: "node-1#b" })],
    ["a version that another has written over", "not-ours", change({ version: 0 })],
  ])("has no say with %s (S3)", async (_, outcome, refused) => {
    expect(await journal.write(refused, never)).toEqual({ outcome });
    expect(await stored()).toEqual(created);
  });

  it("never changes what is final (S6)", async () => {
    await journal.write(change({ after: completed }), never);
    expect(await journal.write(change({ version: 2, before: completed, after: running }), never)).toEqual({
      outcome: "not-ours",
    });
    expect(await stored()).toEqual(completed);
  });

  it("goes on while the store is away, and tells how long that took (X8)", async () => {
    network = "down";
    const writing = journal.write(change(), never);
    await clock.advance(7000);
    network = "up";
    await clock.advance(5000);
    const outcome = await writing;
    expect(outcome).toMatchObject({ outcome: "written", version: 2 });
    const outageMs = outcome.outcome === "written" ? outcome.outageMs : 0;
    expect(outageMs).toBeGreaterThanOrEqual(7000);
    expect(outageMs).toBeLessThan(10_000);
  });

  it("recognizes its own write whose answer was lost, however long the store was away (S2)", async () => {
    network = "answers-lost";
    const writing = journal.write(change(), never);
    await clock.advance(3000);
    network = "up";
    await clock.advance(5000);
    expect(await writing).toMatchObject({ outcome: "written", version: 2 });
    expect(await stored()).toEqual(running);
  });

  it("stops trying when it is told to", async () => {
    network = "down";
    const stop = new AbortController();
    const writing = journal.write(change(), stop.signal);
    const outcome = expect(writing).rejects.toMatchObject({ code: "aborted" });
    await clock.advance(2000);
    stop.abort();
    await clock.advance(3000);
    await outcome;
  });

  it("says so when the change is too large for any store, and does not try again", async () => {
    const large = { ...completed, result: "x".repeat(5 * 1024 * 1024) };
    expect(await journal.write(change({ after: large }), never)).toMatchObject({
      outcome: "refused",
      code: "too_large",
    });
    expect(await stored()).toEqual(created);
  });

  it("writes anew what the store has lost, with what its inbox held (X6)", async () => {
    await at.collections.executions.deposit(id, `result:${id}:0`, JSON.stringify(letter));
    at.space.drop();
    const outcome = await journal.write(change({ letters: [letter] }), never);
    expect(outcome).toMatchObject({ outcome: "written", version: 2 });
    expect(await stored()).toEqual(running);
    expect(await at.collections.executions.inbox(id)).toEqual({
      [`result:${id}:0`]: JSON.stringify(letter),
    });
  });

  it("lets what it wrote anew expire when that is its end", async () => {
    at.space.drop();
    await journal.write(change({ after: completed }), never);
    const record = await at.collections.executions.get(id);
    expect(record).toMatchObject({ value: completed, expiresAtMs: startMs + 60_000 });
  });

  it("writes anew what a fail-over has taken back to an earlier state (X6)", async () => {
    const earlier = at.space.snapshot();
    await journal.write(change(), never);
    at.space.restore(earlier);
    const next = { ...running, deadlineAtMs: running.deadlineAtMs + 1 };
    const rewritten = change({ version: 2, before: running, after: next, letters: [letter] });
    expect(await journal.write(rewritten, never)).toMatchObject({ outcome: "written" });
    expect(await stored()).toEqual(next);
    expect(await at.collections.executions.inbox(id)).toHaveProperty([`result:${id}:0`]);
  });

  it("leaves alone what a fail-over has taken back to another owner", async () => {
    await at.collections.executions.update(id, { set: { owner: "node-9#z", nodeId: "node-9" } });
    const earlier = at.space.snapshot();
    await at.collections.executions.update(id, { set: { owner: "node-0#a", nodeId: "node-0" } });
    at.space.restore(earlier);
    expect(await journal.write(change({ version: 3 }), never)).toEqual({ outcome: "not-ours" });
    expect((await stored())?.owner).toBe("node-9#z");
  });

  it("does not write anew what was created by somebody else meanwhile", async () => {
    at.space.drop();
    await at.collections.executions.create(id, recordOf(id, { owner: "node-9#z" }));
    expect(await journal.write(change({ version: 5 }), never)).toEqual({ outcome: "not-ours" });
  });

  it("leaves another execution alone that was given its id meanwhile", async () => {
    at.space.drop();
    const other = { ...created, createdAt: "2026-02-01T00:00:00.000Z" };
    await at.collections.executions.create(id, other);
    expect(await journal.write(change({ version: 5 }), never)).toEqual({ outcome: "not-ours" });
    expect(await stored()).toEqual(other);
  });
});

describe("the event of a change", () => {
  it("tells the status", () => {
    const about = { id, pattern: "p", nodeId: "node-0" };
    expect(eventOf(id, created)).toEqual({
      type: "execution-created",
      status: "pending",
      ...about,
    });
    expect(eventOf(id, completed)).toEqual({
      type: "execution-completed",
      status: "completed",
      ...about,
    });
  });
});
