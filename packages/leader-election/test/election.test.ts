import { describe, expect, it } from "vitest";
import { createCluster } from "./support/cluster.ts";

describe("an election on one lease", () => {
  it("elects one of three nodes at once when the store is empty", async () => {
    const cluster = createCluster();
    for (const id of ["a", "b", "c"]) cluster.node(id).start();
    await cluster.untilLeader(50);
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.space.reading().record?.termsGranted).toBe(1);
  });

  it("hands over within 50 ms when the leader stops", async () => {
    const cluster = createCluster();
    const nodes = ["a", "b", "c"].map((id) => cluster.node(id));
    for (const node of nodes) node.start();
    const first = await cluster.untilLeader();
    await cluster.timeline.advance(30_000);
    const before = cluster.timeline.nowMs;
    await first.stop();
    const second = await cluster.untilLeader();
    expect(second).not.toBe(first);
    expect(cluster.timeline.nowMs - before).toBeLessThanOrEqual(50);
  });

  it("takes over from a dead leader within a lease and 100 ms of its last renewal", async () => {
    const cluster = createCluster();
    for (const id of ["a", "b", "c"]) cluster.node(id).start();
    const first = await cluster.untilLeader();
    await cluster.timeline.advance(60_000);
    const lastRenewalAt = (cluster.space.reading().record?.expiresAtMs ?? 0) - 15_000;
    first.crash();
    await cluster.timeline.runUntil(() => cluster.leaders().some((id) => id !== first.id), 30_000);
    expect(cluster.space.reading().storeTimeMs - lastRenewalAt).toBeLessThanOrEqual(15_100);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("asks the store at most 0.55 times a second as leader and 0.1 times as standby", async () => {
    const cluster = createCluster();
    const nodes = ["a", "b", "c"].map((id) => cluster.node(id));
    for (const node of nodes) node.start();
    const leader = await cluster.untilLeader();
    await cluster.timeline.advance(60_000);
    const count = (node: (typeof nodes)[number]): number =>
      Object.values(node.calls).reduce((sum, calls) => sum + calls, 0);
    const before = nodes.map(count);
    await cluster.timeline.advance(600_000);
    nodes.forEach((node, index) => {
      const perSecond = (count(node) - (before[index] ?? 0)) / 600;
      expect(perSecond).toBeLessThanOrEqual(node === leader ? 0.55 : 0.1);
    });
  });
});
