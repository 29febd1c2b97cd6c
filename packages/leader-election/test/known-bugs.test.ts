import { isParallaxError } from "@parallax/core";
import { describe, expect, it } from "vitest";
import type { ElectionOptions } from "../src/index.ts";
import { memoryLeaseStore } from "../src/memory.ts";
import { createCluster, type TestCluster, type TestNode } from "./support/cluster.ts";

// Bugs that were reported against others, each as the scenario in which it showed. docs/known-bugs.md is their table.

async function settled(ids: readonly string[], options: Partial<ElectionOptions> = {}) {
  const cluster = createCluster();
  const nodes = ids.map((id) => cluster.node(id, options));
  for (const node of nodes) node.start();
  const leader = await cluster.untilLeader();
  await cluster.timeline.advance(60_000);
  const [standby = leader, ...others] = nodes.filter((node) => node !== leader);
  return { cluster, leader, standby, others, nodes };
}

async function untilAnotherLeads(cluster: TestCluster, than: TestNode, maxMs = 40_000): Promise<void> {
  await cluster.timeline.runUntil(() => cluster.leaders().some((id) => id !== than.id), maxMs);
}

const count = (node: TestNode): number => Object.values(node.calls).reduce((sum, calls) => sum + calls, 0);

describe("bugs that others had, and that must not be ours", () => {
  it("kubernetes/kubernetes#139991: the lease is released before the work has ended", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    leader.drainMs = 5000;
    const stopping = leader.stop();
    await cluster.timeline.runUntil(() => standby.terms.length > 0, 10_000);
    expect(leader.events.at(-1)).toMatchObject({ type: expect.stringMatching(/ended|leader/) });
    expect(leader.terms[0]?.signal.aborted).toBe(true);
    expect(cluster.overlaps).toEqual([]);
    await stopping;
  });

  it("kubernetes/client-go#1187: a node that never led is told that it stopped leading", async () => {
    const { standby } = await settled(["a", "b"]);
    await standby.stop();
    expect(standby.events.filter(({ type }) => type !== "leader")).toEqual([]);
  });

  it("kuberhealthy/kuberhealthy#1533: who lost the lease never campaigns again", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.link = "cut";
    await cluster.timeline.advance(60_000);
    leader.link = "up";
    await cluster.timeline.advance(20_000);
    expect(leader.terms).toHaveLength(2);
  });

  it("kubernetes/kubernetes#97958: one hanging renewal uses up the whole deadline", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.link = "hung";
    await cluster.timeline.advance(6000);
    leader.link = "up";
    await cluster.timeline.advance(60_000);
    expect(leader.terms).toHaveLength(1);
    expect(leader.terms[0]?.signal.aborted).toBe(false);
  });

  it("kyverno/kyverno#14984: work goes on after the lease was lost, for it follows another signal", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.link = "cut";
    await untilAnotherLeads(cluster, leader);
    expect(leader.terms[0]?.signal.aborted).toBe(true);
    expect(cluster.overlaps).toEqual([]);
  });

  it("cilium/cilium#42920: a slow shutdown outlives the lease unnoticed", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.drainMs = 100_000;
    const stepping = leader.election.stepDown();
    await untilAnotherLeads(cluster, leader);
    expect(leader.errors.some((error) => isParallaxError(error, "work_overran"))).toBe(true);
    expect(leader.terms[0]?.remaining()).toBeLessThanOrEqual(0);
    expect(leader.calls.release).toBe(0);
    await cluster.timeline.advance(100_000);
    await stepping;
  });

  it("apache/curator#1211 (CURATOR-696): leading by what was true before the connection was lost", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.link = "hung";
    await untilAnotherLeads(cluster, leader);
    leader.link = "up";
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).not.toContain(leader.id);
    expect(cluster.overlaps).toEqual([]);
  });

  it("apache/curator#1137 (CURATOR-620): a late answer of an earlier attempt makes a leader", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    node.replyMs = 6000;
    node.start();
    await cluster.timeline.advance(20_000);
    expect(node.terms).toEqual([]);
    expect(cluster.leaders()).toEqual([]);
  });

  it("microsoft/etcd3#158: two leaders after the store restarted", async () => {
    for (const keepData of [true, false]) {
      const { cluster } = await settled(["a", "b", "c"]);
      cluster.space.restart({ keepData });
      await cluster.timeline.advance(120_000);
      expect(cluster.leaders()).toHaveLength(1);
      expect(cluster.overlaps).toEqual([]);
    }
  });

  it("mailgun/holster#38: a candidate goes on waiting on a session that is gone", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    standby.link = "hung";
    await cluster.timeline.advance(600_000);
    standby.link = "up";
    leader.crash();
    await untilAnotherLeads(cluster, leader, 31_000);
  });

  it("redisson/redisson#4698: nobody hears that renewing failed", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.link = "cut";
    await cluster.timeline.advance(3000);
    expect(leader.election.stats().renewFailures).toBeGreaterThan(0);
    expect(leader.errors.length).toBeGreaterThan(0);
    await cluster.timeline.advance(8000);
    expect(leader.terms[0]?.signal.reason).toMatchObject({ code: "lease_lost" });
  });

  it("redisson/redisson#7272: a renewal outlives the release", async () => {
    const { cluster, leader } = await settled(["a"]);
    const term = leader.terms[0]?.token ?? 0;
    await leader.stop();
    const store = memoryLeaseStore(cluster.space);
    const holder = { nodeId: "a", incarnation: leader.election.incarnation };
    const rest = { leaseDurationMs: 15_000, termsGranted: 1, priority: 0 };
    const seen = { renewal: 30, lineage: cluster.space.reading().lineage };
    const late = { ...holder, ...rest, term, seen, reassert: true, heldForMs: 2000 };
    expect((await store.renew(late, { deadlineMs: 1000, replicas: 0 })).outcome).toBe("lost");
    expect(cluster.space.reading().record?.state).toBe("released");
  });

  it("mike-marcacci/node-redlock#296: a lock is handed out that has expired", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    node.replyMs = 3000;
    node.start();
    await cluster.timeline.runUntil(() => node.calls.acquire > 0, 10_000);
    node.clock.stall(12_000);
    await cluster.timeline.advance(12_000);
    expect(node.terms).toEqual([]);
  });

  it("mike-marcacci/node-redlock#309: the abort comes after the expiry", async () => {
    const { cluster, leader } = await settled(["a"]);
    let abortedWith: number | undefined;
    const [term] = leader.terms;
    const confirmedAt = cluster.timeline.nowMs;
    leader.link = "cut";
    term?.signal.addEventListener("abort", () => {
      abortedWith = cluster.timeline.nowMs - confirmedAt;
    });
    await cluster.timeline.advance(12_000);
    expect(abortedWith).toBeLessThan(10_000);
  });

  it("triggerdotdev/trigger.dev#3428: after an outage it stays leader for itself, and never leads again", async () => {
    const { cluster, leader, nodes } = await settled(["a", "b"]);
    for (const node of nodes) node.link = "cut";
    await cluster.timeline.advance(120_000);
    expect(leader.election.stats().isLeader).toBe(false);
    for (const node of nodes) node.link = "up";
    await cluster.timeline.advance(3000);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("n8n-io/n8n#8401: the event comes before the state that it tells of", async () => {
    const { leader, cluster } = await settled(["a", "b"]);
    const seen: boolean[] = [];
    leader.election.subscribe(({ type }) => {
      if (type === "ended") seen.push(leader.election.stats().isLeader);
    });
    await Promise.all([leader.election.stepDown(), cluster.timeline.advance(100)]);
    expect(seen).toEqual([false]);
  });

  it("n8n-io/n8n#29589: checks overlap when the store is slow, and leadership swings", async () => {
    const { cluster, leader, nodes } = await settled(["a", "b", "c"]);
    for (const node of nodes) node.replyMs = 3000;
    const before = nodes.map(count);
    await cluster.timeline.advance(90_000);
    nodes.forEach((node, index) => {
      expect(count(node) - (before[index] ?? 0)).toBeLessThanOrEqual(90_000 / 3000 + 1);
    });
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(leader.terms).toHaveLength(1);
  });

  it("n8n-io/n8n#27126: a restarted node finds its own name and leads without having been elected", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.crash();
    const again = cluster.node("a");
    again.start();
    await cluster.timeline.advance(8000);
    expect(again.election.term()).toBeUndefined();
    await cluster.timeline.advance(20_000);
    expect(again.events.filter(({ type }) => type === "elected")).toHaveLength(1);
  });

  it("n8n-io/n8n#29591: a follower that sees no leader says that it stepped down", async () => {
    const { cluster, standby } = await settled(["a", "b"]);
    cluster.space.flush();
    await cluster.timeline.advance(60_000);
    expect(standby.events.filter(({ type }) => type === "ended")).toEqual([]);
  });

  it("n8n-io/n8n#38010: a change during the start is lost", async () => {
    const { cluster, leader } = await settled(["a"]);
    const late = cluster.node("late");
    late.replyMs = 400;
    late.start();
    await cluster.timeline.runUntil(() => late.calls.read > 0, 1000);
    await leader.stop();
    await cluster.timeline.advance(1500);
    expect(cluster.leaders()).toEqual(["late"]);
  });

  it("n8n-io/n8n#25038: after a fail-over of the store every write is refused for ever", async () => {
    const { cluster, nodes } = await settled(["a", "b"]);
    const snapshot = cluster.space.snapshot();
    for (const node of nodes) node.link = "cut";
    await cluster.timeline.advance(30_000);
    cluster.space.failOver(snapshot);
    for (const node of nodes) node.link = "up";
    await cluster.timeline.advance(20_000);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("swarthy/redis-semaphore#24: several workers after a computer woke up", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.clock.suspend(3_600_000);
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).not.toContain(leader.id);
    await cluster.timeline.advance(3_600_000);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.overlaps).toEqual([]);
  });

  it("swarthy/redis-semaphore#175: a lock that was lost and taken again looks as if it had never been lost", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.link = "cut";
    await cluster.timeline.advance(11_000);
    leader.link = "up";
    await cluster.timeline.advance(20_000);
    const [first, second] = leader.terms;
    expect(first?.signal.aborted).toBe(true);
    expect(second?.token).toBeGreaterThan(first?.token ?? 0);
  });

  it("OptimalBits/bull#1416: a blocked event loop goes on with a lock that is another's", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.clock.stall(30_000);
    await untilAnotherLeads(cluster, leader);
    // No timer of the old leader has run yet, and still it knows.
    expect(() => leader.terms[0]?.assertValid()).toThrow("not certainly ours");
    expect(cluster.overlaps).toEqual([]);
  });

  it("samcook/RedLock.net#101: the store evicts the lock of a living holder", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    cluster.space.flush();
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(leader.terms).toHaveLength(1);
    expect(cluster.overlaps).toEqual([]);
  });

  it("valkey-io/valkey#2651: the store's clock steps, and a lock ends early or never", async () => {
    const ahead = await settled(["a", "b", "c"]);
    ahead.cluster.space.stepClock(3_600_000);
    await ahead.cluster.timeline.advance(60_000);
    expect(ahead.cluster.leaders()).toEqual([ahead.leader.id]);
    expect(ahead.cluster.overlaps).toEqual([]);
    const back = await settled(["a", "b", "c"]);
    back.cluster.space.stepClock(-3_600_000);
    back.leader.crash();
    await untilAnotherLeads(back.cluster, back.leader, 31_000);
  });

  it("redis-leader (npm): a leader that stops deletes the lock of its successor", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    leader.link = "hung";
    await untilAnotherLeads(cluster, leader);
    leader.link = "up";
    await leader.stop();
    await cluster.timeline.advance(30_000);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.space.reading().record?.termsGranted).toBe(2);
  });

  it("safe-redis-leader (npm): one error of the store ends the candidate", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    standby.link = "cut";
    await cluster.timeline.advance(30_000);
    standby.link = "up";
    await leader.stop();
    await untilAnotherLeads(cluster, leader, 4000);
  });

  it("kubernetes/kubernetes#62120: a leader cannot be asked to step down", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    await Promise.all([leader.election.stepDown({ to: standby.id }), cluster.timeline.advance(50)]);
    expect(cluster.leaders()).toEqual([standby.id]);
  });

  it("found by our simulation: a record that is lost twice looks as if it had been lost once", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    cluster.space.restart({ keepData: false });
    cluster.space.backend.hint();
    await cluster.timeline.advance(1000);
    expect(cluster.space.reading().record?.nodeId).toBe(leader.id);
    // The standby sleeps; the record comes back, is renewed, and is gone again when it looks.
    await cluster.timeline.advance(13_800);
    cluster.space.flush();
    leader.requestMs = 600;
    await cluster.timeline.advance(2000);
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(standby.terms).toEqual([]);
    expect(cluster.overlaps).toEqual([]);
  });

  it("found by our simulation: a late copy of a renewal makes a lost record believable", async () => {
    const { cluster, leader: first, standby: second } = await settled(["a", "b"]);
    const store = memoryLeaseStore(cluster.space);
    const term = first.terms[0]?.token ?? 0;
    const { record, lineage } = cluster.space.reading();
    await Promise.all([first.election.stepDown({ to: second.id }), cluster.timeline.advance(50)]);
    expect(cluster.leaders()).toEqual([second.id]);
    await cluster.timeline.advance(30_000);
    second.link = "hung";
    cluster.space.flush();
    const copy = {
      ...{ nodeId: first.id, incarnation: first.election.incarnation, term },
      ...{ leaseDurationMs: 15_000, termsGranted: 1, priority: 0, reassert: true, heldForMs: 2000 },
      seen: { renewal: record?.renewal ?? 0, lineage },
    };
    await store.renew(copy, { deadlineMs: 1000, replicas: 0 });
    cluster.space.backend.hint();
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toEqual([first.id]);
    expect(cluster.overlaps).toEqual([]);
  });

  it("found by our simulation: the store's clock steps back and comes back while a standby sleeps", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    await cluster.timeline.advance(20_000);
    const sleepsFrom = standby.calls.read;
    await cluster.timeline.runUntil(() => standby.calls.read > sleepsFrom, 20_000);
    await cluster.timeline.advance(3000);
    cluster.space.stepClock(-20_000);
    await cluster.timeline.runUntil(() => leader.calls.renew % 2 === 0, 10_000);
    await cluster.timeline.advance(5000);
    // The holder is cut off from here on, and trusts its last renewal for a while.
    leader.link = "hung";
    cluster.space.stepClock(20_000);
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toEqual([standby.id]);
    expect(cluster.overlaps).toEqual([]);
  });
});
