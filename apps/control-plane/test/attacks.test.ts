import { isParallaxError } from "@parallax/core";
import { describe, expect, it } from "vitest";
import type { ExecutionRecord } from "../src/executions/record.ts";
import { type ScriptedCluster, scriptedCluster } from "./simulation/scripted.ts";
import { taskOf } from "./support/records.ts";

/** Agents that counted, by their names: none may count twice. */
function agentsOf({ tasks }: ExecutionRecord): string[] {
  return tasks.map((task) => task.assignments.at(-1)?.agentId ?? "nobody");
}

const isRunning =
  (at: ScriptedCluster, id: string): (() => Promise<boolean>) =>
  async () =>
    (await at.read(id)).status === "running";

/**
 * Scenarios that broke earlier designs, played on whole clusters in virtual time: nodes as they are composed, agents with
 * their SDK, one store.
 */
describe("attacks in ordinary operation", () => {
  it("A1: what a process owned that restarts before anybody notices is taken over, not orphaned", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 3, taskMs: 2000 });
    await at.put({ name: "three", agents: { min: 3, max: 3 } });
    const id = await at.submit(0, "three");
    await at.until("it running", isRunning(at, id));
    const { owner } = await at.read(id);
    at.place(0).crash();
    await at.timeline.advance(200);
    at.place(0).start();
    const ended = await at.ended(id);
    expect(ended).toMatchObject({ status: "completed", result: Array(3).fill('done "in"') });
    expect(ended.adoptions).toBe(1);
    expect(owner).toMatch(/^node-0#/);
  });

  it("A1: nothing is orphaned by a leader that dies amid recovery", async () => {
    const at = await scriptedCluster({ nodes: 3, agents: 3, taskMs: 4000 });
    await at.put({ name: "one" });
    const leading = (): number => at.places.findIndex((place) => place.node?.election.stats().isLeader);
    await at.until("a leader", () => leading() >= 0);
    const other = (leading() + 1) % 3;
    const ids: string[] = [];
    for (let index = 0; index < 8; index += 1) ids.push(await at.submit(other, "one", index));
    at.place(other).crash();
    const old = leading();
    await at.until("the first adoption", async () => {
      const records = await Promise.all(ids.map((id) => at.read(id)));
      return records.some(({ adoptions, nodeId }) => adoptions > 0 || nodeId !== `node-${other}`);
    });
    at.place(old).crash();
    for (const [index, id] of ids.entries())
      expect((await at.ended(id)).result, id).toEqual([`done ${index}`]);
  });

  it("A1: what the last node left is taken over by the next that comes", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 1, taskMs: 20_000 });
    await at.put({ name: "one", timeout: "5m" });
    const id = await at.submit(0, "one");
    at.place(0).drain();
    await at.timeline.advance(8000);
    at.place(0).start();
    expect(await at.ended(id, 200_000)).toMatchObject({ status: "completed" });
  });

  it("A7: restarts that are planned cost nothing its life, though there is no other node to hand it to", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 1 });
    await at.put({ name: "one", timeout: "10m" });
    const id = await at.submit(0, "one", { ms: 120_000 });
    await at.until("it running", isRunning(at, id));
    for (let restart = 0; restart < 4; restart += 1) {
      const { owner } = await at.read(id);
      at.place(0).drain();
      await at.until("its process having left", () => at.place(0).node === undefined);
      at.place(0).start();
      await at.until("its next owner", async () => {
        const isUp = at.place(0).node?.health.snapshot().state === "ready";
        return isUp && (await at.read(id)).owner !== owner;
      });
    }
    expect(await at.ended(id, 400_000)).toMatchObject({ status: "completed", adoptions: 0 });
  });

  it("A2: a submission whose answer was lost names its id, and is driven all the same", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1 });
    await at.put({ name: "one" });
    // So that the pattern need not be read.
    await at.ended(await at.submit(0, "one"));
    const { wire } = at.place(0);
    if (wire) wire.state = "answers lost";
    const request = { pattern: "one", input: "in", options: {} };
    const submitting = at.node(0).work.catalog.submit({ request, caller: "c" });
    const failed = submitting.then(
      () => undefined,
      (error: unknown) => error,
    );
    await at.timeline.advance(12_000);
    if (wire) wire.state = "up";
    const error = await failed;
    if (!isParallaxError(error, "outcome_unknown")) throw new Error("it should have been of unknown outcome");
    expect(await at.ended(String(error.details?.executionId))).toMatchObject({ status: "completed" });
  });

  it("A2: a living owner finds what is its own, though the word of it was lost", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1 });
    await at.put({ name: "one" });
    const first = await at.read(await at.submit(0, "one"));
    const { owner } = at.node(1).work.peers.self();
    const { startedAt: _, finishedAt: __, result: ___, ...rest } = first;
    const orphan = { ...rest, owner, nodeId: "node-1", tasks: [taskOf("exec_lost:0")] };
    const record: ExecutionRecord = { ...orphan, status: "pending" };
    const creating = at.node(0).collections.executions.create("exec_lost", record);
    await at.timeline.advance(10);
    await creating;
    expect(await at.ended("exec_lost")).toMatchObject({ status: "completed", nodeId: "node-1" });
  });

  it("A3: attempts of former and later owners never make an agent or a task count twice", async () => {
    const at = await scriptedCluster({ nodes: 3, agents: 4, taskMs: 6000 });
    await at.put({ name: "three", agents: { min: 3, max: 3 }, retries: 2 });
    const id = await at.submit(0, "three");
    await at.until("it running", isRunning(at, id));
    // Its agents lose their nodes, too, and one of them its life: another attempt of its task begins.
    at.place(0).crash();
    at.agents[0]?.die(1000);
    for (const agent of at.agents) agent.cut();
    const ended = await at.ended(id);
    expect(ended).toMatchObject({ status: "completed", result: Array(3).fill('done "in"') });
    expect(new Set(agentsOf(ended)).size).toBe(3);
  });

  it("A4: a result needs no living owner to be safe, and is not asked for again", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 3, taskMs: 1500 });
    await at.put({ name: "three", agents: { min: 3, max: 3 } });
    const id = await at.submit(0, "three");
    await at.until("it running", isRunning(at, id));
    at.place(0).crash();
    expect(await at.ended(id)).toMatchObject({ status: "completed", nodeId: "node-1" });
    // Those who lost their node with it have come back elsewhere, and brought what they owed.
    expect(at.agents.flatMap((agent) => agent.begun)).toHaveLength(3);
  });

  it("A5: an end that a fail-over of the store took back stays as it was, and nothing runs twice", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 3 });
    await at.put({ name: "three", agents: { min: 3, max: 3 } });
    const id = await at.submit(0, "three");
    await at.until("it running", isRunning(at, id));
    const goBack = at.store.remember();
    const before = await at.ended(id);
    const begun = at.agents.flatMap((agent) => agent.begun).length;
    goBack();
    expect((await at.read(id)).status, "the end was taken back").toBe("running");
    expect(await at.ended(id)).toEqual(before);
    expect(at.agents.flatMap((agent) => agent.begun)).toHaveLength(begun);
  });

  it("A5: an end is written again though a fail-over took all of the execution back", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1 });
    await at.put({ name: "one" });
    await at.timeline.advance(3000);
    const goBack = at.store.remember();
    const id = await at.submit(0, "one");
    const { status, result } = await at.ended(id);
    goBack();
    const { executions } = at.node(1).collections;
    const reading = executions.get(id);
    await at.timeline.advance(10);
    expect(await reading, "all of it was taken back").toBeUndefined();
    await at.until("its end", async () => (await executions.get(id)) !== undefined);
    expect(await at.read(id)).toMatchObject({ status, result });
    expect(at.agents.flatMap(({ begun }) => begun)).toHaveLength(1);
  });

  it("A5: a repeated submission meets the first at its owner, though a fail-over has just taken that back", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 2, taskMs: 3000 });
    await at.put({ name: "one" });
    await at.timeline.advance(3000);
    const goBack = at.store.remember();
    const ended = await at.submit(0, "one", { ms: 0 }, "ended");
    const before = await at.ended(ended);
    const running = await at.submit(0, "one", { ms: 20_000 }, "running");
    const { createdAt } = await at.read(running);
    goBack();
    expect(await at.submit(0, "one", { ms: 0 }, "ended")).toBe(ended);
    expect(await at.submit(0, "one", { ms: 20_000 }, "running")).toBe(running);
    expect(await at.read(ended)).toEqual(before);
    expect(await at.read(running)).toMatchObject({ status: "running", createdAt });
    await at.ended(running);
    expect(at.agents.flatMap(({ begun }) => begun)).toHaveLength(2);
  });

  it("A5: an end is not written over another execution that was given its id since", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 1 });
    await at.put({ name: "one" });
    const id = await at.submit(0, "one", "first", "key");
    const first = await at.ended(id);
    const { executions } = at.node(0).collections;
    const fence = at.node(0).election.term()?.token ?? 0;
    await executions.trim({ fence, index: "status", values: ["completed"], max: 0, limit: 1 });
    const { owner } = at.node(0).work.peers.self();
    const { result: _, finishedAt: __, ...rest } = first;
    const tasks = [taskOf(`${id}:0`)];
    const createdAt = new Date(Date.parse(first.createdAt) + 5000).toISOString();
    await executions.create(id, { ...rest, status: "pending", input: "second", tasks, createdAt, owner });
    expect((await at.ended(id)).result).toEqual(['done "second"']);
  });

  it("A6: nothing changes what has ended, whoever writes it and however late", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 1 });
    await at.put({ name: "one" });
    const id = await at.submit(0, "one");
    const ended = await at.ended(id);
    const { executions } = at.node(0).collections;
    const late = { set: { status: "running" as const, owner: "node-9#x", nodeId: "node-9" } };
    expect(await executions.update(id, late, { fence: Number.MAX_SAFE_INTEGER })).toMatchObject({
      outcome: "final",
    });
    expect(await executions.deposit(id, "result:late", "{}")).toEqual({ outcome: "final" });
    expect(await at.read(id)).toEqual(ended);
  });

  it("A7: what has cost three nodes their lives does not cost a fourth", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1, taskMs: 100_000 });
    await at.put({ name: "one", timeout: "30m" });
    const id = await at.submit(0, "one");
    for (let deaths = 1; deaths <= 3; deaths += 1) {
      await at.until("it running", isRunning(at, id));
      const place = await at.ownerOf(id);
      place.crash();
      await at.timeline.advance(500);
      place.start();
      if (deaths < 3) await at.until("its adoption", async () => (await at.read(id)).adoptions === deaths);
    }
    expect(await at.ended(id)).toMatchObject({ status: "failed", error: { code: "poisoned" }, adoptions: 3 });
  });

  it("A8: neither a store that was away nor the time without an owner counts against a deadline", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1, taskMs: 3000 });
    await at.put({ name: "one", timeout: "9s" });
    const away = await at.submit(0, "one", "away");
    await at.until("it running", isRunning(at, away));
    at.store.wire.state = "cut";
    await at.timeline.advance(15_000);
    at.store.wire.state = "up";
    expect(await at.ended(away)).toMatchObject({ status: "completed" });
    const orphan = await at.submit(0, "one", "orphan");
    await at.until("it running", isRunning(at, orphan));
    at.place(0).crash();
    for (const agent of at.agents) agent.cut();
    expect(await at.ended(orphan)).toMatchObject({ status: "completed" });
  });

  it("A9: finished executions are kept in a bounded number, and nothing new is taken in a full store", async () => {
    const at = await scriptedCluster({ nodes: 1, agents: 1, settings: { "executions.maxFinished": 3 } });
    await at.put({ name: "one" });
    for (let index = 0; index < 10; index += 1) await at.ended(await at.submit(0, "one", index));
    const { executions } = at.node(0).collections;
    await at.until("the rest being collected", async () => (await executions.count()) <= 3);
    expect(await at.node(0).store.admits()).toBe(true);
  });

  it("A10: the events of an execution outlive the topic's log, in their order and without a hole", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 1 });
    await at.put({ name: "one" });
    const id = await at.submit(0, "one");
    await at.ended(id);
    at.store.log.trim("execution", 0, 0);
    const log = (await at.node(1).collections.executions.log(id)) ?? [];
    expect(log.map(({ sequence, event }) => `${sequence} ${event.type}`)).toEqual([
      "1 execution-created",
      "2 execution-running",
      "3 execution-aggregating",
      "4 execution-completed",
    ]);
  });

  it("A11: an adopter runs an execution with the definition that it was accepted with", async () => {
    const at = await scriptedCluster({ nodes: 2, agents: 3, taskMs: 3000 });
    await at.put({ name: "p", agents: { min: 3, max: 3 }, aggregate: { strategy: "all" } });
    const id = await at.submit(0, "p");
    await at.until("it running", isRunning(at, id));
    await at.put({ name: "p", agents: { min: 1, max: 1 }, aggregate: { strategy: "first" } });
    at.place(0).crash();
    expect(await at.ended(id)).toMatchObject({
      status: "completed",
      nodeId: "node-1",
      result: Array(3).fill('done "in"'),
    });
  });
});
