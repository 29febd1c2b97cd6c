import { describe, expect, it } from "vitest";
import type { MembershipEvent } from "../src/index.ts";
import { codeOf, createCluster, type TestNode, until } from "./support/cluster.ts";

/** Scenarios that broke earlier designs, on many seeds, so that beats and sweeps fall together in many ways. */
const seeds = Array.from({ length: 8 }, (_, index) => index + 1);

function told(node: TestNode, type: MembershipEvent["type"]): MembershipEvent[] {
  return node.events.filter((event) => event.type === type);
}

describe("[memory] B5: failed is final for an incarnation, and not for a process", () => {
  it.each(seeds)("a slow node that was failed owns nothing as its old self, seed %d", async (seed) => {
    const { timeline, space, node, start } = createCluster(seed);
    const [slow, other] = await start(3);
    if (!slow || !other) throw new Error("no node");
    await timeline.advance(20_000 + seed * 311);
    const { incarnation } = slow.membership;
    slow.link.state = "deaf";
    await timeline.advance(3000);
    slow.link.state = "cut";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 30_000);
    // What it owned may be given away from now on.
    expect(await other.membership.hasEnded(incarnation)).toBe(true);
    slow.link.state = "up";
    slow.link.doublesWithinMs = 3000;
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "healthy", 10_000);
    expect(told(slow, "ended")).toEqual([{ type: "ended", incarnation, reason: "failed", by: undefined }]);
    expect(slow.membership.incarnation).not.toBe(incarnation);

    // Nor does anybody bring it back: a beat and a join of the old self that come late.
    const late = node("node-0", { incarnation });
    late.start();
    await timeline.advance(100);
    expect(space.table()?.rows.get("node-0")?.incarnation).not.toBe(incarnation);
  });

  it.each(seeds)("two processes of one id end one of them, and no storm, seed %d", async (seed) => {
    const { timeline, node, start, told: toldAll } = createCluster(seed);
    await start(3);
    await timeline.advance(20_000 + seed * 311);
    const twins = [1, 2].map((process) => node("twin", { address: `10.0.0.${process}:8080` }));
    for (const twin of twins) twin.start();
    await timeline.advance(300_000);
    expect(twins.map(({ outcome }) => codeOf(outcome) ?? outcome).sort()).toEqual(["replaced", "running"]);
    // One joined, was replaced by the other, and that was it: for each of the three that look on, and for the twins.
    expect(toldAll("replaced").length).toBeLessThanOrEqual(5);
    expect(toldAll("failed")).toEqual([]);
  });

  it.each(seeds)("a store that is rewound hands no incarnation out twice, seed %d", async (seed) => {
    const { timeline, space, start, nodes } = createCluster(seed);
    const [victim] = await start(3);
    await timeline.advance(20_000 + seed * 311);
    const earlier = space.table();
    if (victim) victim.link.state = "cut";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 30_000);
    if (victim) victim.link.state = "up";
    await until(timeline, () => space.table()?.rows.get("node-0")?.status === "healthy", 10_000);
    const second = victim?.membership.incarnation;
    // Back to when the first incarnation was well.
    space.rewind(earlier);
    await timeline.advance(60_000);
    expect(victim?.membership.incarnation).toBe(second);
    expect(space.table()?.rows.get("node-0")?.incarnation).toBe(second);
    expect(nodes.map(({ outcome }) => outcome)).toEqual(["running", "running", "running"]);
  });
});

describe("[memory] B6: no zombies", () => {
  it.each(seeds)(
    "a node whose beats would pass and whose work does not is failed in time, seed %d",
    async (seed) => {
      const { timeline, space, start } = createCluster(seed);
      const [zombie, ...others] = await start(3);
      if (!zombie) throw new Error("no node");
      await timeline.advance(20_000 + seed * 311);
      zombie.vouches = false;
      await until(timeline, () => space.table()?.rows.get("node-0")?.status === "failed", 16_000);
      // It has let go before, and does not judge those who work.
      expect(told(zombie, "cut-off")).toHaveLength(1);
      expect(others.flatMap((other) => told(other, "ended"))).toEqual([]);
      // Well again, it is a member again, as another.
      zombie.vouches = true;
      await until(timeline, () => space.table()?.rows.get("node-0")?.status === "healthy", 10_000);
    },
  );
});

describe("[memory] B7: membership's clock", () => {
  it.each(seeds)("fails nobody for a step just after two of three have beaten, seed %d", async (seed) => {
    const { timeline, space, nodes, start, told: toldAll } = createCluster(seed);
    await start(3);
    await timeline.advance(20_000);
    const count = ({ calls }: TestNode): number => calls.filter((call) => call === "beat").length;
    const before = nodes.map(count);
    await until(
      timeline,
      () => nodes.filter((each, index) => count(each) > (before[index] ?? 0)).length === 2,
    );
    space.stepClock(60_000);
    await timeline.advance(60_000);
    expect(toldAll("failed", "ended")).toEqual([]);
  });

  it.each([-3_600_000, -60_000, -1000])("finds the dead after a step of %d ms", async (stepMs) => {
    for (const seed of seeds) {
      const { timeline, space, start, told: toldAll } = createCluster(seed);
      const [victim] = await start(3);
      await timeline.advance(40_000 + seed * 311);
      space.stepClock(stepMs);
      victim?.kill();
      await until(timeline, () => toldAll("failed").length > 0, 25_000);
    }
  });

  it.each(seeds)("finds the dead though the store comes and goes, seed %d", async (seed) => {
    const { timeline, store, start, told: toldAll } = createCluster(seed);
    const [victim] = await start(4);
    await timeline.advance(60_000 + seed * 311);
    victim?.kill();
    for (let round = 0; round < 10; round += 1) {
      store.state = "refused";
      await timeline.advance(11_000);
      store.state = "up";
      await timeline.advance(4000);
    }
    const failed = new Set(toldAll("failed").map((event) => "member" in event && event.member));
    expect(failed).toEqual(new Set(["node-0"]));
  });
});
