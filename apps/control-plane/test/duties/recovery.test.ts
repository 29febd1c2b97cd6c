import { noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Duty } from "../../src/duties/duties.ts";
import { createOwnerCheck } from "../../src/duties/owner-check.ts";
import { recoveryDuty } from "../../src/duties/recovery.ts";
import { drivenFrom, type ExecutionRecord } from "../../src/executions/record.ts";
import { createStoreTime } from "../../src/store-time.ts";
import { type KnownMembers, knownMembers, memberOf } from "../support/members.ts";
import {
  definitionOf,
  openTestStore,
  recordOf,
  startMs,
  type TestStore,
  taskOf,
} from "../support/records.ts";
import { type TestTerm, testTerm } from "../support/terms.ts";

const retentionMs = 60_000;

describe("recovery", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let members: KnownMembers;
  let duty: Duty;
  let term: TestTerm;
  /** Who was told to look. */
  let told: string[];

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    at = openTestStore(clock);
    members = knownMembers("node-0#a", "node-1#b", "node-2#c");
    term = testTerm(7);
    told = [];
    duty = recoveryDuty({
      executions: at.collections.executions,
      membership: members,
      ownerCheck: createOwnerCheck({ membership: members, clock, absentMs: 15_000 }),
      clock,
      storeTime: createStoreTime(clock, startMs),
      logger: noopLogger,
      nodeId: "node-0",
      retentionMs,
      settlingMs: 10_000,
      send: (nodeId, message) => told.push(`${nodeId} ${message.type}`),
    });
  });
  afterEach(() => at.close());

  async function own(id: string, owner: string, changes: Partial<ExecutionRecord> = {}): Promise<void> {
    const [nodeId = ""] = owner.split("#");
    await at.collections.executions.create(id, recordOf(id, { owner, nodeId, ...changes }));
  }
  async function ownerOf(id: string): Promise<string | undefined> {
    return (await at.collections.executions.get(id))?.value.owner;
  }
  async function read(id: string): Promise<ExecutionRecord> {
    const stored = await at.collections.executions.get(id);
    if (!stored) throw new Error(`there is no ${id}`);
    return stored.value;
  }
  function fail(name: string, lastBeatAtMs = startMs): void {
    members.set(name, "failed", { lastBeatAtMs });
    members.ended.add(name.split("#")[1] ?? "");
  }

  it("hands what an ended process owned to live nodes in turn, and tells them (X1)", async () => {
    for (const id of ["exec_1", "exec_2", "exec_3", "exec_4"]) await own(id, "node-2#c");
    fail("node-2#c");
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).toEqual({ "node-0#a": 2, "node-1#b": 2 });
    expect((await read("exec_1")).nodeId).toBe((await ownerOf("exec_1"))?.split("#")[0]);
    expect(told.sort()).toEqual(["node-0 adopt", "node-1 adopt"]);
  });

  it("hands over no more than the live nodes have room for, and the rest once they have said that they have (attack B11)", async () => {
    for (let index = 0; index < 10; index += 1) await own(`exec_${index}`, "node-2#c");
    const roomOf = (room: number) => ({ leading: undefined, capacity: {}, facts: { room } });
    members.set("node-0#a", "healthy", { report: roomOf(4) });
    members.set("node-1#b", "healthy", { report: roomOf(1) });
    fail("node-2#c");
    await duty.run(term);
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).toEqual({
      "node-0#a": 4,
      "node-1#b": 1,
      "node-2#c": 5,
    });
    members.set("node-1#b", "healthy", { report: roomOf(100), lastBeatAtMs: startMs + 5000 });
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).toEqual({ "node-0#a": 4, "node-1#b": 6 });
  });

  it("hands over more than one page in one round", async () => {
    for (let index = 0; index < 1203; index += 1) await own(`exec_${index}`, "node-2#c");
    fail("node-2#c");
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).toEqual({ "node-0#a": 602, "node-1#b": 601 });
  });

  it("gives nothing to a member that has only come, unless there is no other", async () => {
    await own("exec_1", "node-9#gone");
    await own("exec_2", "node-9#gone");
    members.ended.add("gone");
    for (const name of ["node-1#b", "node-2#c"]) members.set(name, "healthy", { joinedAtMs: startMs - 1000 });
    members.set("node-0#a", "healthy", { joinedAtMs: startMs - 60_000 });
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).toEqual({ "node-0#a": 2 });
  });

  it("gives an execution to a node that has its function, if any has (X9)", async () => {
    const report = { leading: undefined, capacity: {}, facts: { functions: ["f"] } };
    members.set("node-1#b", "healthy", { report });
    for (const id of ["exec_1", "exec_2", "exec_3"]) await own(id, "node-2#c", { functionHash: "f" });
    await own("exec_4", "node-2#c", { functionHash: "nobody has it" });
    fail("node-2#c");
    await duty.run(term);
    for (const id of ["exec_1", "exec_2", "exec_3"]) expect(await ownerOf(id)).toBe("node-1#b");
    expect(await ownerOf("exec_4")).not.toBe("node-2#c");
  });

  it("does not wait for its time when a member ends", () => {
    let woken = 0;
    const forget = duty.wakes?.(() => {
      woken += 1;
    });
    for (const type of ["failed", "left", "replaced"] as const) members.tell(type);
    forget?.();
    members.tell("failed");
    expect(woken).toBe(3);
  });

  it.each(["healthy", "suspect", "draining", "failed"] as const)(
    "leaves alone what a %s member owns whose end is not proven (X1)",
    async (status) => {
      await own("exec_1", "node-2#c");
      members.set("node-2#c", status);
      for (let rounds = 0; rounds < 20; rounds += 1) {
        await duty.run(term);
        await clock.advance(5000);
      }
      expect(await ownerOf("exec_1")).toBe("node-2#c");
      expect(told).toEqual([]);
    },
  );

  it("takes over from the former process of a node that has started anew, itself included (attack A1)", async () => {
    members.ended.add("before");
    await own("exec_1", "node-0#before");
    await duty.run(term);
    expect(["node-0#a", "node-1#b", "node-2#c"]).toContain(await ownerOf("exec_1"));
  });

  it("takes over what an unknown process owns, once it has been absent for long enough", async () => {
    await own("exec_1", "node-9#gone");
    await duty.run(term);
    await clock.advance(14_000);
    await duty.run(term);
    expect(await ownerOf("exec_1")).toBe("node-9#gone");
    await clock.advance(1000);
    await duty.run(term);
    expect(await ownerOf("exec_1")).not.toBe("node-9#gone");
    expect(members.declared).toEqual(["gone"]);
  });

  it("gives nothing to a node that drains or has failed, and keeps it all while there is no other", async () => {
    await own("exec_1", "node-9#gone");
    members.ended.add("gone");
    members.set("node-1#b", "draining");
    fail("node-2#c");
    members.set("node-0#a", "draining");
    await duty.run(term);
    expect(await ownerOf("exec_1")).toBe("node-9#gone");
    members.set("node-0#a", "suspect");
    await duty.run(term);
    expect(await ownerOf("exec_1")).toBe("node-0#a");
  });

  it("goes on where a leader has stopped halfway", async () => {
    for (const id of ["exec_1", "exec_2", "exec_3"]) await own(id, "node-2#c");
    fail("node-2#c");
    await at.collections.executions.update("exec_2", { set: { owner: "node-1#b", nodeId: "node-1" } });
    await duty.run(term);
    expect(await at.collections.executions.values("owner")).not.toHaveProperty("node-2#c");
    expect(await ownerOf("exec_2")).toBe("node-1#b");
  });

  it("pushes the deadline back by the time without a living owner (X8)", async () => {
    await own("exec_1", "node-2#c");
    await clock.advance(20_000);
    fail("node-2#c", startMs + 4000);
    await duty.run(term);
    expect(drivenFrom(await read("exec_1"), clock.wall()).deadlineAtMs).toBe(
      recordOf("exec_1").deadlineAtMs + 16_000,
    );
  });

  it("pushes it back by the time since the last write of an owner whose row is gone, as after a fast restart (X8)", async () => {
    await own("exec_1", "node-0#before");
    members.ended.add("before");
    await clock.advance(20_000);
    await duty.run(term);
    expect(drivenFrom(await read("exec_1"), clock.wall()).deadlineAtMs).toBe(
      recordOf("exec_1").deadlineAtMs + 20_000,
    );
  });

  it("counts that time from the first of several owners none of whom has written that it drives it (X8)", async () => {
    await own("exec_1", "node-2#c", { ownerlessSinceMs: startMs - 5000 });
    fail("node-2#c", startMs);
    await duty.run(term);
    expect(await read("exec_1")).toMatchObject({ ownerlessSinceMs: startMs - 5000 });
  });

  it("knows that time though the leader's machine has slept meanwhile (X8)", async () => {
    await own("exec_1", "node-2#c");
    clock.suspend(20_000);
    fail("node-2#c", startMs + 4000);
    await duty.run(term);
    expect(drivenFrom(await read("exec_1"), clock.wall()).deadlineAtMs).toBe(
      recordOf("exec_1").deadlineAtMs + 16_000,
    );
  });

  it("gives back the time for which a submitter waited for the store, where nobody has driven it yet (X8)", async () => {
    await clock.advance(20_000);
    await own("exec_1", "node-2#c");
    fail("node-2#c", startMs + 20_000);
    await duty.run(term);
    expect(drivenFrom(await read("exec_1"), clock.wall()).deadlineAtMs).toBe(
      recordOf("exec_1").deadlineAtMs + 20_000,
    );
  });

  it("does not count that who was told to stop has ended, and counts that of any other (X7)", async () => {
    await own("exec_1", "node-2#c", { status: "running", leftBy: "node-2#c" });
    await own("exec_2", "node-2#c", { status: "running", leftBy: "node-0#before" });
    fail("node-2#c");
    await duty.run(term);
    expect([(await read("exec_1")).adoptions, (await read("exec_2")).adoptions]).toEqual([0, 1]);
  });

  it("counts adoptions of what was under way, and none of what only waited (X7)", async () => {
    await own("exec_1", "node-2#c", { status: "running" });
    await own("exec_2", "node-2#c");
    fail("node-2#c");
    await duty.run(term);
    expect((await read("exec_1")).adoptions).toBe(1);
    expect((await read("exec_2")).adoptions).toBe(0);
  });

  it("ends what is adopted after a crash for the third time as poisoned (X7)", async () => {
    const definition = definitionOf({ agents: { min: 2, max: 2 } });
    const tasks = [
      taskOf("exec_1:0", { status: "completed", assignments: [{ agentId: "agent_1", nodeId: "node-2" }] }),
      taskOf("exec_1:1", { status: "assigned", assignments: [{ agentId: "agent_2", nodeId: "node-2" }] }),
    ];
    await own("exec_1", "node-2#c", { status: "running", adoptions: 2, definition, tasks });
    fail("node-2#c");
    await duty.run(term);
    const record = await read("exec_1");
    expect(record).toMatchObject({ status: "failed", error: { code: "poisoned" }, adoptions: 3 });
    expect(record.owner).toBeUndefined();
    expect(record.tasks.map(({ status }) => status)).toEqual(["completed", "cancelled"]);
    expect(Date.parse(record.finishedAt ?? "")).toBe(startMs);
    const stored = await at.collections.executions.get("exec_1");
    expect(stored?.expiresAtMs, "it expires as any other that has ended").toBe(startMs + retentionMs);
    const log = await at.collections.executions.log("exec_1");
    expect(log?.map(({ event }) => event.type)).toEqual(["execution-failed"]);
  });

  it("writes nothing once a higher term has raised the fence (L7)", async () => {
    await own("exec_1", "node-2#c");
    fail("node-2#c");
    await at.store.raiseFence(8);
    await duty.run(term);
    expect(await ownerOf("exec_1")).toBe("node-2#c");
    expect(told).toEqual([]);
  });

  it("does nothing any more once its term is lost", async () => {
    await own("exec_1", "node-2#c");
    fail("node-2#c");
    term.end();
    await expect(duty.run(term)).rejects.toMatchObject({ code: "lease_lost" });
    expect(await ownerOf("exec_1")).toBe("node-2#c");
  });

  it.each([
    ["end", { set: { status: "completed" as const, result: "x" }, unset: ["owner" as const] }],
    ["hand-over", { set: { owner: "node-1#b", nodeId: "node-1" } }],
    ["next step", { set: { status: "running" as const } }],
  ])(
    "does not overtake a write of the same moment: the %s that came before it stands (L9)",
    async (_, patch) => {
      await own("exec_1", "node-2#c");
      fail("node-2#c");
      const { executions } = at.collections;
      const racing = recoveryDuty({
        executions: {
          ...executions,
          // Between the leader's look and its write.
          async list(options) {
            const page = await executions.list(options);
            await executions.update("exec_1", patch);
            return page;
          },
        },
        membership: {
          subscribe: () => () => {},
          view: () => ({ epoch: "e", version: 1, members: [memberOf("node-0#a")], observedAtMs: 0 }),
        },
        ownerCheck: { hasEnded: async () => true },
        clock,
        storeTime: createStoreTime(clock, startMs),
        logger: noopLogger,
        nodeId: "node-0",
        retentionMs,
        settlingMs: 10_000,
        send: () => {},
      });
      const expected = { ...recordOf("exec_1", { owner: "node-2#c", nodeId: "node-2" }), ...patch.set };
      await racing.run(term);
      const { owner, ...rest } = await read("exec_1");
      expect(rest).toMatchObject({ status: expected.status, nodeId: expected.nodeId, adoptions: 0 });
      expect(owner).toBe("unset" in patch ? undefined : expected.owner);
    },
  );
});
