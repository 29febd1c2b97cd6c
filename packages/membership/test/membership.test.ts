import { describe, expect, it } from "vitest";
import { membershipPresets } from "../src/index.ts";
import { codeOf, createCluster, until } from "./support/cluster.ts";

const failAfterMs = 15_000;

describe("[memory] a cluster", () => {
  it("shows every member to every node, numbers inside ids by their value", async () => {
    const { timeline, nodes, ...cluster } = createCluster();
    await cluster.start(12);
    await timeline.advance(10_000);
    const ids = nodes.map(({ id }) => id);
    for (const { membership } of nodes) {
      expect(membership.view()?.members.map(({ id }) => id)).toEqual(ids);
      expect(membership.view()?.members.every(({ status }) => status === "healthy")).toBe(true);
    }
  });

  it("suspects a killed member after one missed interval, and fails it on all nodes within the time-out and a second", async () => {
    const { timeline, told, start } = createCluster();
    const [victim, ...others] = await start(5);
    await timeline.advance(60_000);
    const killedAtMs = timeline.nowMs;
    victim?.kill();
    await until(
      timeline,
      () => others.every(({ events }) => events.some(({ type }) => type === "suspected")),
      9000,
    );
    await until(
      timeline,
      () => others.every(({ events }) => events.some(({ type }) => type === "failed")),
      20_000,
    );
    expect(timeline.nowMs - killedAtMs).toBeLessThanOrEqual(failAfterMs + 1000);
    expect(new Set(told("failed").map((event) => "member" in event && event.member))).toEqual(
      new Set(["node-0"]),
    );
  });

  it("takes a recovered member back and says so", async () => {
    const { timeline, told, start } = createCluster();
    const [slow] = await start(3);
    if (slow) slow.link.state = "cut";
    await until(timeline, () => told("suspected").length > 0);
    if (slow) slow.link.state = "up";
    await until(timeline, () => told("recovered").length > 0, 8000);
    expect(told("failed", "ended")).toEqual([]);
  });

  it("removes a failed member after its time, and nobody before", async () => {
    const { timeline, told, start } = createCluster();
    const [victim] = await start(3);
    victim?.kill();
    await until(timeline, () => told("failed").length > 0);
    const failedAtMs = timeline.nowMs;
    await until(timeline, () => told("removed").length > 0);
    expect(timeline.nowMs - failedAtMs).toBeGreaterThanOrEqual(membershipPresets.default.removeAfterMs);
    expect(timeline.nowMs - failedAtMs).toBeLessThan(membershipPresets.default.removeAfterMs + 6000);
  });

  it("announces a leave at once, and it does not look like a failure", async () => {
    const { timeline, told, start } = createCluster();
    const [leaver, ...others] = await start(3);
    const leftAtMs = timeline.nowMs;
    await leaver?.stop();
    await until(
      timeline,
      () => others.every(({ events }) => events.some(({ type }) => type === "left")),
      100,
    );
    expect(timeline.nowMs - leftAtMs).toBeLessThanOrEqual(100);
    expect(leaver?.outcome).toBe("stopped");
    expect(told("failed", "suspected")).toEqual([]);
  });

  it("leaves at once although a beat is on its way and nobody answers it", async () => {
    const { timeline, space, start } = createCluster();
    const [leaver] = await start(2);
    if (!leaver) throw new Error("no node");
    leaver.link.latencyMs = 2000;
    await until(timeline, () => leaver.calls.at(-1) === "beat");
    const stoppedAtMs = timeline.nowMs;
    await leaver.stop();
    expect(space.table()?.rows.has("node-0")).toBe(false);
    // The leave's own way to the store and back, and nothing else.
    expect(timeline.nowMs - stoppedAtMs).toBe(2000);
  });

  it("drains itself and others, and keeps draining when it has to join anew", async () => {
    const { timeline, space, start } = createCluster();
    const [first, second] = await start(3);
    await first?.membership.drain();
    await first?.membership.drain("node-1");
    await timeline.advance(10);
    const draining = second?.membership.view()?.members.filter(({ status }) => status === "draining");
    expect(draining?.map(({ id }) => id)).toEqual(["node-0", "node-1"]);
    space.lose();
    await timeline.advance(12_000);
    expect([...(space.table()?.rows.values() ?? [])].map(({ id, status }) => [id, status]).sort()).toEqual([
      ["node-0", "draining"],
      ["node-1", "draining"],
      ["node-2", "healthy"],
    ]);
  });

  it("refuses to drain a member that there is not", async () => {
    const [node] = await createCluster().start(1);
    await expect(node?.membership.drain("node-9")).rejects.toMatchObject({ code: "unknown_member" });
  });

  it("reports at once when asked, and keeps a distance between beats however often it is asked", async () => {
    let slots = 1;
    const { timeline, space, start } = createCluster();
    const report = () => ({ leading: undefined, capacity: { classification: slots }, facts: {} });
    const [node] = await start(1, { report });
    slots = 7;
    const beaten = node?.membership.beat();
    await until(timeline, () => space.table()?.rows.get("node-0")?.report.capacity.classification === 7, 100);
    await beaten;
    const before = node?.calls.length ?? 0;
    for (let count = 0; count < 1000; count += 1) {
      void node?.membership.beat();
      await timeline.advance(1);
    }
    expect((node?.calls.length ?? 0) - before).toBeLessThanOrEqual(14);
  });

  it("sends the last good report when a report is too large or throws", async () => {
    let report = (): {
      leading: undefined;
      capacity: Record<string, number>;
      facts: Record<string, string>;
    } => ({
      leading: undefined,
      capacity: { any: 3 },
      facts: {},
    });
    const { timeline, space, start } = createCluster();
    const [node] = await start(1, { report: () => report() });
    report = () => ({ leading: undefined, capacity: {}, facts: { text: "x".repeat(5000) } });
    await timeline.advance(6000);
    report = () => {
      throw new Error("no report");
    };
    await timeline.advance(6000);
    expect(space.table()?.rows.get("node-0")?.report.capacity).toEqual({ any: 3 });
    expect(space.table()?.rows.get("node-0")?.status).toBe("healthy");
    expect(node?.errors.some((error) => codeOf(error) === "report_too_large")).toBe(true);
  });

  it("joins once the store is there, and says when", async () => {
    const { timeline, node } = createCluster();
    const late = node("node-0");
    late.link.state = "refused";
    late.start();
    let joined = false;
    void late.membership.joined().then(() => {
      joined = true;
    });
    await timeline.advance(30_000);
    expect(joined).toBe(false);
    expect(late.membership.view()).toBeUndefined();
    late.link.state = "up";
    await timeline.advance(3000);
    expect(joined).toBe(true);
  });

  it("can run again after it has stopped, as a new incarnation", async () => {
    const { timeline, space, node } = createCluster();
    const again = node("node-0");
    const first = new AbortController();
    const running = again.membership.run({ signal: first.signal });
    await timeline.advance(100);
    const incarnation = again.membership.incarnation;
    first.abort();
    await timeline.advance(100);
    await running;
    again.start();
    await timeline.advance(1000);
    expect(space.table()?.rows.get("node-0")?.incarnation).toBe(again.membership.incarnation);
    expect(again.membership.incarnation).not.toBe(incarnation);
    expect(await again.membership.hasEnded(incarnation)).toBe(true);
    // It knew that its first life had ended, and did not have to be told.
    expect(again.events.filter(({ type }) => type === "ended")).toEqual([]);
  });

  it("runs once at a time, and rejects what needs it to run", async () => {
    const { node } = createCluster();
    const idle = node("node-0");
    await expect(idle.membership.beat()).rejects.toMatchObject({ code: "not_running" });
    idle.start();
    await expect(idle.membership.run()).rejects.toMatchObject({ code: "already_running" });
  });
});
