import { describe, expect, it } from "vitest";
import type { MembershipEvent, View } from "../src/index.ts";
import { end, transition } from "../src/table.ts";
import { codeOf, createCluster, type TestNode, until } from "./support/cluster.ts";

function ends(events: readonly MembershipEvent[]): MembershipEvent[] {
  return events.filter(({ type }) => type === "failed" || type === "ended");
}

function types(node: TestNode | undefined): string[] {
  return node?.events.map(({ type }) => type) ?? [];
}

describe("[memory] M1: nobody is failed for the store's absence", () => {
  it.each([20_000, 60_000, 600_000])("lets an absence of %d ms pass without a failure", async (absenceMs) => {
    const { timeline, nodes, told, start } = createCluster();
    await start(5);
    await timeline.advance(60_000);
    for (const { link } of nodes) link.state = "refused";
    await timeline.advance(absenceMs);
    for (const { link } of nodes) link.state = "up";
    await timeline.advance(60_000);
    expect(ends(told("failed", "ended"))).toEqual([]);
  });

  it("lets nodes that find the store again seconds after the others be", async () => {
    const { timeline, nodes, told, start } = createCluster();
    await start(5);
    await timeline.advance(60_000);
    for (const { link } of nodes) link.state = "refused";
    await timeline.advance(60_000);
    for (const { link } of nodes) {
      link.state = "up";
      await timeline.advance(1800);
    }
    await timeline.advance(60_000);
    expect(ends(told("failed", "ended"))).toEqual([]);
  });

  it("forgives a long gap whole: a node that comes back late keeps the time that it had", async () => {
    const { timeline, nodes, told, start } = createCluster();
    const [late, ...others] = await start(5);
    if (!late) throw new Error("no node");
    await timeline.advance(60_000);
    // Nearly an interval old when the store goes away.
    const beats = late.calls.filter((call) => call === "beat").length;
    await until(timeline, () => late.calls.filter((call) => call === "beat").length > beats);
    await timeline.advance(4900);
    for (const { link } of nodes) link.state = "refused";
    await timeline.advance(60_000);
    for (const { link } of others) link.state = "up";
    await timeline.advance(8000);
    late.link.state = "up";
    await timeline.advance(60_000);
    expect(ends(told("failed", "ended"))).toEqual([]);
  });

  it("leaves whoever comes back with the store an interval to beat, however old it was", async () => {
    const { timeline, nodes, told, start } = createCluster();
    const [late, ...others] = await start(5);
    if (!late) throw new Error("no node");
    await timeline.advance(60_000);
    // Nearly failed when the store goes away, and well again before it comes back.
    late.link.state = "refused";
    await timeline.advance(14_500 - late.membership.unacknowledgedMs());
    for (const { link } of nodes) link.state = "refused";
    await timeline.advance(60_000);
    for (const { link } of others) link.state = "up";
    await timeline.advance(3500);
    late.link.state = "up";
    await timeline.advance(60_000);
    expect(ends(told("failed", "ended"))).toEqual([]);
  });

  it("holds nobody's age against it after a fail-over, which may have taken acknowledged beats back", async () => {
    const { timeline, space, told, start } = createCluster();
    await start(3);
    await timeline.advance(60_000);
    const earlier = space.table();
    // Less than what M1 forgives as a long gap anyway.
    await timeline.advance(8000);
    space.rewind(earlier);
    await timeline.advance(60_000);
    expect(told("failed", "ended", "suspected")).toEqual([]);
  });

  it("finds the dead although the store's clock was set back by an hour", async () => {
    const { timeline, space, told, start } = createCluster();
    const [victim] = await start(3);
    await timeline.advance(60_000);
    space.stepClock(-3_600_000);
    victim?.kill();
    await until(timeline, () => told("failed").length > 0, 25_000);
  });

  it.each([-60_000, -9000, 4000, 9000, 60_000])(
    "fails nobody when the store's clock steps by %d ms",
    async (stepMs) => {
      for (let seed = 1; seed <= 5; seed += 1) {
        const { timeline, space, told, start } = createCluster(seed);
        await start(3);
        await timeline.advance(60_000 + seed * 700);
        space.stepClock(stepMs);
        await timeline.advance(60_000);
        expect(ends(told("failed", "ended"))).toEqual([]);
      }
    },
  );

  it("fails a dead member although the store flaps all the time", async () => {
    const { timeline, nodes, told, start } = createCluster();
    const [victim, ...others] = await start(3);
    await timeline.advance(60_000);
    victim?.kill();
    for (let round = 0; round < 8; round += 1) {
      for (const { link } of others) link.state = "refused";
      await timeline.advance(12_000);
      for (const { link } of others) link.state = "up";
      await timeline.advance(3000);
    }
    expect(new Set(told("failed").map((event) => "member" in event && event.member))).toEqual(
      new Set(["node-0"]),
    );
    expect(
      nodes
        .slice(1)
        .flatMap(({ events }) => ends(events))
        .every((event) => event.type === "failed"),
    ).toBe(true);
  });
});

describe("[memory] M2: a majority that falls silent together is spared once", () => {
  it("suspects three of five first and fails them one time-out later", async () => {
    const { timeline, nodes, told, start } = createCluster();
    await start(5);
    await timeline.advance(60_000);
    const silentSinceMs = timeline.nowMs;
    for (const victim of nodes.slice(0, 3)) victim.kill();
    await until(timeline, () => told("failed").length > 0);
    expect(timeline.nowMs - silentSinceMs).toBeGreaterThan(25_000);
    await until(
      timeline,
      () => new Set(told("failed").map((each) => "member" in each && each.member)).size === 3,
      10_000,
    );
    expect(timeline.nowMs - silentSinceMs).toBeLessThan(40_000);
  });

  it("does not hold up the failure of a minority", async () => {
    const { timeline, nodes, told, start } = createCluster();
    await start(5);
    await timeline.advance(60_000);
    for (const victim of nodes.slice(0, 2)) victim.kill();
    await until(
      timeline,
      () => new Set(told("failed").map((each) => "member" in each && each.member)).size === 2,
      16_500,
    );
  });
});

describe("[memory] M3: a node that is not acknowledged gives up by itself", () => {
  it.each(["cut", "deaf", "refused"] as const)(
    "says so before others fail it when its link is %s",
    async (state) => {
      const { timeline, space, start } = createCluster();
      const [isolated] = await start(3);
      if (!isolated) throw new Error("no node");
      await timeline.advance(60_000);
      isolated.link.state = state;
      await until(timeline, () => types(isolated).includes("cut-off"), 13_000);
      expect(space.table()?.rows.get("node-0")?.status).not.toBe("failed");
      expect(isolated.membership.unacknowledgedMs()).toBeGreaterThanOrEqual(12_500);
      expect(isolated.membership.unacknowledgedMs()).toBeLessThan(12_510);
      isolated.link.state = "up";
      await until(timeline, () => types(isolated).includes("back"), 4000);
      expect(isolated.membership.unacknowledgedMs()).toBeLessThan(100);
    },
  );

  it("counts from before the request was sent (T1)", async () => {
    const { timeline, start } = createCluster();
    const [node] = await start(1);
    if (!node) throw new Error("no node");
    await timeline.advance(10_000);
    node.link.latencyMs = 1000;
    const beats = node.calls.filter((call) => call === "beat").length;
    await until(timeline, () => node.calls.filter((call) => call === "beat").length > beats);
    await until(timeline, () => node.membership.unacknowledgedMs() < 2000);
    expect(node.membership.unacknowledgedMs()).toBeGreaterThanOrEqual(1000);
  });

  it("counts the time in which the machine slept", async () => {
    const { timeline, start } = createCluster();
    const [sleeper] = await start(1);
    if (!sleeper) throw new Error("no node");
    sleeper.clock.suspend(60_000);
    expect(sleeper.membership.unacknowledgedMs()).toBe(0);
    await timeline.advance(59_000);
    expect(sleeper.membership.unacknowledgedMs()).toBeGreaterThanOrEqual(59_000);
    await timeline.advance(10_000);
    expect(types(sleeper).filter((type) => type === "cut-off" || type === "back")).toEqual([
      "cut-off",
      "back",
    ]);
  });
});

describe("[memory] M4: every node sees the same versions without a hole", () => {
  it("tells every transition once and in order to each node, whatever its link does", async () => {
    const { timeline, nodes, node, start } = createCluster(7);
    await start(4);
    for (let round = 0; round < 12; round += 1) {
      const extra = node(`extra-${round}`);
      extra.start();
      const flaky = nodes[round % 3];
      if (flaky) flaky.link.state = "deaf";
      await timeline.advance(4000 + round * 700);
      if (flaky) flaky.link.state = "up";
      if (round % 2) await extra.stop();
      else extra.kill();
    }
    await timeline.advance(60_000);
    for (const each of nodes.slice(0, 4)) {
      const versions = each.events.flatMap((event) => ("version" in event ? [event.version] : []));
      expect(versions.length).toBeGreaterThan(20);
      expect(versions).toEqual(versions.map((_, index) => (versions[0] ?? 0) + index));
      expect(each.membership.view()?.version).toBe(versions.at(-1));
    }
    const [first, ...others] = nodes.slice(0, 4).map(({ events }) => byVersion(events));
    for (const other of others) {
      for (const [version, event] of other)
        if (first?.has(version)) expect(event).toEqual(first.get(version));
    }
  });

  it("says reset when the store was lost, and goes on from there", async () => {
    const { timeline, nodes, space, start } = createCluster();
    const started = await start(3);
    await timeline.advance(20_000);
    const incarnations = started.map(({ membership }) => membership.incarnation);
    space.lose();
    await timeline.advance(20_000);
    for (const each of nodes) {
      const resets = each.events.filter(({ type }) => type === "reset");
      expect(resets).toHaveLength(1);
      expect(each.membership.view()?.members).toHaveLength(3);
    }
    // M6: the store lost the rows, so the incarnations go on.
    expect(started.map(({ membership }) => membership.incarnation)).toEqual(incarnations);
    expect(nodes.flatMap(({ events }) => ends(events))).toEqual([]);
  });

  it("begins a new epoch when a fail-over took versions back", async () => {
    const { timeline, space, node, start } = createCluster();
    const [first] = await start(3);
    await timeline.advance(20_000);
    const earlier = space.table();
    node("node-3").start();
    await timeline.advance(5000);
    const before = first?.membership.view() as View;
    space.rewind(earlier);
    await timeline.advance(20_000);
    const after = first?.membership.view() as View;
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.members.map(({ id }) => id)).toEqual(["node-0", "node-1", "node-2", "node-3"]);
    expect(types(first)).toContain("reset");
    expect(types(first)).not.toContain("ended");
  });

  it("says reset to a node that was away for longer than transitions are kept", async () => {
    const { timeline, node, space, start } = createCluster();
    const [away] = await start(1);
    if (!away) throw new Error("no node");
    away.vouches = false;
    away.link.state = "cut";
    const churn = node("churn");
    for (let count = 0; count < 1100; count += 1) {
      space.change((draft) => {
        draft.version += 1;
        const { epoch, version } = draft;
        draft.log = [
          ...draft.log,
          { type: "suspected" as const, member: "x", incarnation: "y", epoch, version },
        ].slice(-1000);
      });
    }
    churn.start();
    await timeline.advance(1);
    away.vouches = true;
    away.link.state = "up";
    await timeline.advance(10_000);
    expect(types(away)).toEqual(["reset"]);
  });
});

function byVersion(events: readonly MembershipEvent[]): Map<number, MembershipEvent> {
  return new Map(events.flatMap((event) => ("version" in event ? [[event.version, event] as const] : [])));
}

describe("[memory] M5: who is not sure of itself does not judge others", () => {
  it("does not sweep while its round trips are slow", async () => {
    const { timeline, start } = createCluster();
    const [node] = await start(1);
    if (!node) throw new Error("no node");
    await timeline.advance(30_000);
    expect(node.calls).toContain("sweep");
    node.link.latencyMs = 2800;
    await timeline.advance(10_000);
    node.calls.length = 0;
    await timeline.advance(60_000);
    expect(node.calls).not.toContain("sweep");
    expect(node.calls).toContain("read");
  });

  it("does not sweep right after its event loop was blocked", async () => {
    const { timeline, start } = createCluster();
    const [node] = await start(1);
    if (!node) throw new Error("no node");
    await timeline.advance(30_000);
    node.clock.stall(10_000);
    node.calls.length = 0;
    await timeline.advance(10_001);
    expect(node.calls).toContain("read");
    expect(node.calls).not.toContain("sweep");
    await timeline.advance(10_000);
    expect(node.calls).toContain("sweep");
  });

  it("does not sweep while the store's clock and its own disagree", async () => {
    const { timeline, space, start } = createCluster();
    const [node] = await start(1);
    if (!node) throw new Error("no node");
    await timeline.advance(30_000);
    const before = space.table()?.sweptAtMs;
    node.calls.length = 0;
    space.stepClock(5000);
    await until(timeline, () => node.calls.includes("sweep"), 10_000);
    // B7: the sweep that was on its way when the clock jumped does nothing.
    if (node.calls[0] === "sweep") expect(space.table()?.sweptAtMs).toBe(before);
    await timeline.advance(20_000);
    expect(space.table()?.sweptAtMs).toBeGreaterThan(before ?? 0);
  });

  it.each([-300_000, 300_000])(
    "fails nobody for a node's wall clock that is %d ms off",
    async (wallOffsetMs) => {
      const { timeline, node, told, start } = createCluster();
      node("skewed", { wallOffsetMs }).start();
      await start(3);
      await timeline.advance(120_000);
      expect(told("failed", "ended", "suspected", "cut-off")).toEqual([]);
    },
  );
});

describe("[memory] M6: an incarnation that ended never comes back", () => {
  it("tells a node that was failed, which joins anew as another incarnation", async () => {
    const { timeline, space, start } = createCluster();
    const [slow, other] = await start(3);
    if (!slow || !other) throw new Error("no node");
    const { incarnation } = slow.membership;
    slow.link.state = "cut";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 30_000);
    slow.link.state = "up";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "healthy", 10_000);
    expect(slow.membership.incarnation).not.toBe(incarnation);
    expect(slow.events).toContainEqual({ type: "ended", incarnation, reason: "failed", by: undefined });
    expect(await other.membership.hasEnded(incarnation)).toBe(true);
    expect(await other.membership.hasEnded(slow.membership.incarnation)).toBe(false);
    // Cut off, ended, and back only once it has joined anew.
    expect(types(slow).filter((type) => ["cut-off", "ended", "back"].includes(type))).toEqual([
      "cut-off",
      "ended",
      "back",
    ]);
  });

  it("learns of its own end by a hint, not only with its next beat", async () => {
    const { timeline, space, start } = createCluster();
    const [node] = await start(2);
    await timeline.advance(20_000);
    const calls = node?.calls.length ?? 0;
    space.change((draft, { nowMs }) => {
      const row = draft.rows.get("node-0");
      if (!row) return;
      end(draft, row.incarnation, { reason: "failed", by: undefined, atMs: nowMs });
      transition(draft, "failed", row, { ...row, status: "failed", failedAtMs: nowMs });
    });
    await timeline.advance(101);
    expect(types(node)).toContain("ended");
    expect(node?.calls.slice(calls)).toContain("beat");
  });

  it("ends the older of two processes with one id with an error that names both addresses", async () => {
    const { timeline, node } = createCluster();
    const older = node("node-0", { address: "10.0.0.1:8080" });
    const newer = node("node-0", { address: "10.0.0.2:8080" });
    older.start();
    await timeline.advance(6000);
    newer.start();
    await timeline.advance(10_000);
    expect(codeOf(older.outcome)).toBe("replaced");
    expect(String(older.outcome)).toContain("10.0.0.1:8080");
    expect(String(older.outcome)).toContain("10.0.0.2:8080");
    expect(newer.outcome).toBe("running");
    expect(types(older)).toContain("ended");
    expect(types(newer)).not.toContain("ended");
  });

  it("does not let a process that was failed push out the one that took its id since", async () => {
    const { timeline, space, node, start } = createCluster();
    const [zombie] = await start(3);
    if (!zombie) throw new Error("no node");
    zombie.link.state = "cut";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 30_000);
    const successor = node("node-0", { address: "10.0.0.9:8080" });
    successor.start();
    await timeline.advance(100);
    zombie.link.state = "up";
    await timeline.advance(20_000);
    expect(codeOf(zombie.outcome)).toBe("replaced");
    expect(successor.outcome).toBe("running");
    expect(types(successor)).not.toContain("ended");
  });

  it("declares an absent incarnation ended, but not that of a member", async () => {
    const { start } = createCluster();
    const [first, second] = await start(2);
    if (!first || !second) throw new Error("no node");
    expect(await first.membership.declareEnded(second.membership.incarnation)).toBe(false);
    expect(await first.membership.hasEnded("inc_gone")).toBe(false);
    expect(await first.membership.declareEnded("inc_gone")).toBe(true);
    expect(await second.membership.hasEnded("inc_gone")).toBe(true);
  });

  it("joins as another incarnation if its own was declared ended before it came", async () => {
    const { timeline, space, node, start } = createCluster();
    const [first] = await start(1);
    await first?.membership.declareEnded("inc_late");
    const late = node("late", { incarnation: "inc_late" });
    late.start();
    await timeline.advance(5000);
    expect(late.membership.incarnation).not.toBe("inc_late");
    expect(space.table()?.rows.get("late")?.incarnation).toBe(late.membership.incarnation);
    expect(types(late)).toContain("ended");
  });
});

describe("[memory] M7: a beat vouches for the whole node", () => {
  it("fails a node whose beats pass but whose other roles do not work", async () => {
    const { timeline, space, start } = createCluster();
    const [zombie] = await start(3);
    if (!zombie) throw new Error("no node");
    await timeline.advance(20_000);
    zombie.vouches = false;
    zombie.calls.length = 0;
    await expect(zombie.membership.beat()).rejects.toMatchObject({ code: "beat_withheld" });
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 20_000);
    expect(types(zombie)).toContain("cut-off");
    expect(zombie.calls).not.toContain("beat");
    expect(zombie.calls).not.toContain("sweep");
  });
});
