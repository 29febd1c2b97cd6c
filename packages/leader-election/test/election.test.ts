import { type isParallaxError, ParallaxError } from "@parallax/core";
import { describe, expect, it } from "vitest";
import { createElection, type ElectionOptions, electionPresets, type Term } from "../src/index.ts";
import { memoryLeaseSpace, memoryLeaseStore } from "../src/memory.ts";
import { createCluster, type TestCluster, type TestNode } from "./support/cluster.ts";

type Code = Parameters<typeof isParallaxError>[1];
const coded = (code: Code): unknown => expect.objectContaining({ name: "ParallaxError", code });

/** A cluster of running nodes, the leader first, after a minute of peace. */
async function settled(
  ids: readonly string[],
  options: Partial<ElectionOptions> = {},
  cluster = createCluster(),
) {
  const nodes = ids.map((id) => cluster.node(id, options));
  for (const node of nodes) node.start();
  const leader = await cluster.untilLeader();
  await cluster.timeline.advance(60_000);
  const standbys = nodes.filter((node) => node !== leader);
  const [standby = leader] = standbys;
  return { cluster, leader, standby, standbys, nodes };
}

const ends = (node: TestNode): readonly string[] =>
  node.events.flatMap((event) => (event.type === "ended" ? [event.reason] : []));

async function untilLed(cluster: TestCluster, by: (id: string) => boolean, maxMs: number): Promise<number> {
  const before = cluster.timeline.nowMs;
  await cluster.timeline.runUntil(() => cluster.leaders().some(by), maxMs);
  return cluster.timeline.nowMs - before;
}

describe("options", () => {
  const store = memoryLeaseStore(memoryLeaseSpace());
  const broken: [Partial<ElectionOptions>, string][] = [
    [
      { leaseDurationMs: 1000, renewDeadlineMs: 1000, retryPeriodMs: 100 },
      "leaseDurationMs > renewDeadlineMs",
    ],
    [{ renewDeadlineMs: 2400, retryPeriodMs: 2000 }, "renewDeadlineMs > 1.2 × retryPeriodMs"],
    [{ retryPeriodMs: 0 }, "retryPeriodMs > 0"],
    [{ leaseDurationMs: Number.NaN }, "leaseDurationMs is a finite number"],
    [{ leaseDurationMs: Number.POSITIVE_INFINITY }, "leaseDurationMs is a finite number"],
    [{ renewDeadlineMs: Number.NaN }, "leaseDurationMs > renewDeadlineMs"],
    [{ nodeId: "" }, "nodeId is a text and not empty"],
    [{ incarnation: "" }, "incarnation is a text and not empty"],
    [{ replicas: -1 }, "replicas is a whole number of 0 or more"],
    [{ priority: 0.5 }, "priority is a whole number of 0 or more"],
  ];
  it.each(broken)("refuses %j: it must hold that %s", (change, relation) => {
    expect(() => createElection({ store, nodeId: "a", ...change })).toThrow(
      expect.objectContaining({ code: "invalid_options", details: { relation } }),
    );
  });

  it("accepts its own presets, and derives deadline and period from the lease", () => {
    createElection({ store, nodeId: "a", ...electionPresets.default });
    createElection({ store, nodeId: "a", ...electionPresets.fast });
    createElection({ store, nodeId: "a", leaseDurationMs: 300 });
  });

  it("B12: warns when less than a retry period is left after a lost lease", () => {
    const warnings: string[] = [];
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (text: string) => warnings.push(text),
      child: () => logger,
    };
    createElection({
      store,
      nodeId: "a",
      logger,
      leaseDurationMs: 10_000,
      renewDeadlineMs: 9999,
      retryPeriodMs: 1000,
    });
    expect(warnings).toHaveLength(1);
  });
});

describe("an election on one lease", () => {
  it("elects one of three nodes at once when the store is empty", async () => {
    const { cluster } = await settled(["a", "b", "c"]);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.space.reading().record?.termsGranted).toBe(1);
  });

  it("hands over within 50 ms when the leader stops", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    const before = cluster.timeline.nowMs;
    await leader.stop();
    await untilLed(cluster, (id) => id !== leader.id, 1000);
    expect(cluster.timeline.nowMs - before).toBeLessThanOrEqual(50);
    expect(cluster.overlaps).toEqual([]);
  });

  it("takes over from a dead leader within a lease and 100 ms of its last renewal", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    const lastRenewalAt = (cluster.space.reading().record?.expiresAtMs ?? 0) - 15_000;
    leader.crash();
    await untilLed(cluster, (id) => id !== leader.id, 30_000);
    expect(cluster.space.reading().storeTimeMs - lastRenewalAt).toBeLessThanOrEqual(15_100);
    expect(cluster.overlaps).toEqual([]);
  });

  it("asks the store at most 0.55 times a second as leader and 0.1 times as standby", async () => {
    const { cluster, nodes, leader } = await settled(["a", "b", "c"]);
    const count = (node: TestNode): number =>
      Object.values(node.calls).reduce((sum, calls) => sum + calls, 0);
    const before = nodes.map(count);
    await cluster.timeline.advance(600_000);
    nodes.forEach((node, index) => {
      const perSecond = (count(node) - (before[index] ?? 0)) / 600;
      expect(perSecond).toBeGreaterThan(0.05);
      expect(perSecond).toBeLessThanOrEqual(node === leader ? 0.55 : 0.1);
    });
  });

  it("needs at most one try per candidate and has one winner when a hundred compete for one tombstone", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `n${index}`);
    const { cluster, leader, nodes } = await settled(ids);
    const tries = (): number => nodes.reduce((sum, node) => sum + node.calls.acquire, 0);
    const [before, terms] = [tries(), cluster.space.reading().record?.termsGranted ?? 0];
    await leader.stop();
    await cluster.timeline.advance(1000);
    expect(tries() - before).toBeLessThanOrEqual(100);
    expect(cluster.space.reading().record?.termsGranted).toBe(terms + 1);
    expect(cluster.leaders()).toHaveLength(1);
  });

  it("L6: works by its timers alone when every hint is lost", async () => {
    const { cluster, leader, nodes } = await settled(["a", "b", "c"]);
    for (const node of nodes) node.isHintless = true;
    await leader.stop();
    expect(await untilLed(cluster, (id) => id !== leader.id, 16_000)).toBeLessThanOrEqual(15_040);
  });

  it("shows leader and events on every node", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    const term = leader.election.term()?.token ?? 0;
    for (const node of [leader, standby]) {
      expect(node.election.leader()).toEqual({
        nodeId: leader.id,
        incarnation: leader.election.incarnation,
        term,
      });
    }
    await leader.stop();
    await untilLed(cluster, (id) => id === standby.id, 1000);
    expect(leader.events.filter(({ type }) => type !== "leader")).toEqual([
      { type: "elected", term },
      { type: "ended", term, reason: "stopped" },
    ]);
    expect(standby.election.leader()?.nodeId).toBe(standby.id);
    expect(standby.election.term()?.token).toBeGreaterThan(term);
  });

  it("works out its figures when asked", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    expect(leader.election.stats()).toMatchObject({ isLeader: true, termsGranted: 1, renewFailures: 0 });
    expect(leader.election.stats().leaseRemainingMs).toBeGreaterThan(7900);
    expect(standby.election.stats()).toMatchObject({
      isLeader: false,
      term: undefined,
      leaseRemainingMs: 0,
      termsGranted: 1,
    });
    await leader.stop();
    await untilLed(cluster, (id) => id === standby.id, 1000);
    expect(standby.election.stats().lastHandoverMs).toBeLessThanOrEqual(50);
    expect(standby.election.stats().termsGranted).toBe(2);
    expect(leader.election.stats()).toMatchObject({ isLeader: false, leaseRemainingMs: 0 });
  });

  it("leaves no timer and no listener behind after ten thousand renewals", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    const pending = cluster.timeline.timers;
    await cluster.timeline.advance(20_000_000);
    expect(leader.calls.renew).toBeGreaterThan(10_000);
    expect(cluster.timeline.timers).toBeLessThanOrEqual(pending + 1);
    await standby.stop();
    await leader.stop();
    // The hint of the release is still on its way.
    await cluster.timeline.advance(1);
    expect(cluster.timeline.timers).toBe(0);
  });
});

describe("run", () => {
  it("is refused while it runs, and possible again afterwards", async () => {
    const { leader, cluster } = await settled(["a"]);
    await expect(leader.election.run(async () => {})).rejects.toEqual(coded("already_running"));
    await leader.stop();
    let terms = 0;
    const again = new AbortController();
    const work = async (): Promise<void> => {
      terms += 1;
    };
    const running = leader.election.run(work, { signal: again.signal });
    await cluster.timeline.runUntil(() => terms > 0, 1000);
    again.abort();
    await cluster.timeline.advance(10);
    await running;
  });

  it("does nothing with a signal that has aborted before", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    await node.election.run(async () => {}, { signal: AbortSignal.abort() });
    expect(node.calls.read).toBe(0);
  });

  it("releases when the work returns, and lets others have a turn", async () => {
    const cluster = createCluster();
    const quick = cluster.node("a");
    const order: string[] = [];
    const signal = new AbortController();
    const running = quick.election.run(
      async (term) => {
        order.push(`a ${term.signal.aborted}`);
      },
      { signal: signal.signal },
    );
    await cluster.timeline.runUntil(() => order.length > 0, 1000);
    await cluster.timeline.advance(1000);
    expect(cluster.space.reading().record?.state).toBe("released");
    expect(order).toHaveLength(1);
    await cluster.timeline.advance(1100);
    expect(order).toHaveLength(2);
    signal.abort();
    await cluster.timeline.advance(100);
    await running;
    expect(ends(quick)).toEqual(["returned", "returned"]);
  });

  it("releases, then rejects with what the work throws", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    const running = node.election.run(async () => {
      throw new Error("broken");
    });
    running.catch(() => {});
    await cluster.timeline.advance(100);
    await expect(running).rejects.toThrow("broken");
    expect(cluster.space.reading().record?.state).toBe("released");
    expect(ends(node)).toEqual(["returned"]);
  });

  it("reports what the work throws during an abort, unless it is the abort itself", async () => {
    for (const thrown of [new Error("broken"), undefined]) {
      const cluster = createCluster();
      const node = cluster.node("a");
      const stop = new AbortController();
      const running = node.election.run(
        (term) =>
          new Promise((_, reject) => {
            term.signal.addEventListener("abort", () => reject(thrown ?? term.signal.reason));
          }),
        { signal: stop.signal },
      );
      await cluster.timeline.advance(1000);
      stop.abort();
      await cluster.timeline.advance(1000);
      await running;
      expect(node.errors).toEqual(thrown ? [thrown] : []);
    }
  });

  it("gives a grant back that arrives after the stop, without a term", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    node.replyMs = 100;
    const stop = new AbortController();
    const running = node.election.run(async (term) => void node.terms.push(term), { signal: stop.signal });
    await cluster.timeline.runUntil(() => node.calls.acquire > 0, 1000);
    stop.abort();
    await cluster.timeline.advance(1000);
    await running;
    expect(node.terms).toEqual([]);
    expect(ends(node)).toEqual([]);
    expect(cluster.space.reading().record?.state).toBe("released");
  });
});

describe("validity of a term (L3)", () => {
  it("T1: counts the time that the grant's answer took", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    node.replyMs = 3000;
    node.start();
    await cluster.untilLeader();
    expect(node.election.term()?.remaining()).toBeLessThanOrEqual(7000);
  });

  it("starts no term under a grant that comes too late", async () => {
    const cluster = createCluster();
    const node = cluster.node("a", { leaseDurationMs: 1000, renewDeadlineMs: 600, retryPeriodMs: 400 });
    node.replyMs = 199;
    node.requestMs = 0;
    node.start();
    await cluster.timeline.runUntil(() => node.calls.acquire === 1, 1000);
    node.clock.suspend(600);
    await cluster.timeline.advance(899);
    expect(node.terms).toEqual([]);
  });

  it.each(["cut", "deaf", "hung"] as const)(
    "aborts before the deadline when the link is %s",
    async (link) => {
      const { cluster, leader, standby } = await settled(["a", "b"]);
      const [term] = leader.terms;
      leader.link = link;
      await cluster.timeline.runUntil(() => term?.signal.aborted === true, 11_000);
      expect(term?.remaining()).toBeLessThanOrEqual(0);
      expect(() => term?.assertValid()).toThrow(coded("lease_lost") as Error);
      expect(term?.signal.reason).toEqual(coded("lease_lost"));
      await untilLed(cluster, (id) => id === standby.id, 32_000);
      expect(cluster.overlaps).toEqual([]);
      expect(leader.election.stats().renewFailures).toBeGreaterThan(0);
      leader.link = "up";
      await cluster.timeline.advance(60_000);
      expect(cluster.leaders()).toEqual([standby.id]);
      expect(ends(leader)).toEqual(["deadline"]);
    },
  );

  it("ends at once, without a timer, when the machine was suspended (T3)", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.clock.suspend(20_000);
    cluster.timeline.skip(20_000);
    expect(leader.election.term()).toBeUndefined();
    expect(leader.election.stats().isLeader).toBe(false);
    expect(() => leader.terms[0]?.assertValid()).toThrow(coded("lease_lost") as Error);
  });

  it("minds no wall clock that steps back", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    for (let hour = 0; hour < 24; hour += 1) {
      leader.clock.stepWall(-3_600_000);
      await cluster.timeline.advance(10_000);
    }
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(cluster.space.reading().record?.termsGranted).toBe(1);
  });

  it("does not begin before the replicas acknowledge", async () => {
    const cluster = createCluster();
    const node = cluster.node("a", { replicas: 1 });
    node.start();
    await cluster.timeline.advance(5000);
    expect(node.terms).toEqual([]);
    expect(cluster.leaders()).toEqual([]);
    cluster.space.setReplicas(1);
    await cluster.timeline.advance(2000);
    expect(cluster.leaders()).toEqual(["a"]);
    cluster.space.setReplicas(0);
    await cluster.timeline.advance(10_000);
    expect(cluster.leaders()).toEqual([]);
    expect(node.errors).toContainEqual(coded("too_few_replicas"));
  });
});

describe("giving up (L4)", () => {
  it("aborts, goes on renewing while the work drains, then writes the tombstone, then announces", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.drainMs = 8000;
    let isSteppedDown = false;
    const stepping = leader.election.stepDown().then(() => (isSteppedDown = true));
    expect(leader.terms[0]?.signal.aborted).toBe(true);
    expect(leader.terms[0]?.signal.reason).toEqual(coded("stepped_down"));
    const renewals = leader.calls.renew;
    await cluster.timeline.advance(7999);
    expect(leader.calls.renew).toBeGreaterThanOrEqual(renewals + 3);
    expect(cluster.space.reading().record?.state).toBe("held");
    expect(leader.election.term()?.remaining()).toBeGreaterThan(0);
    expect([ends(leader), isSteppedDown]).toEqual([[], false]);
    await cluster.timeline.advance(2);
    await stepping;
    expect(cluster.space.reading().record?.state).toBe("released");
    expect(ends(leader)).toEqual(["stepped-down"]);
    expect(leader.election.term()).toBeUndefined();
    expect(leader.terms[0]?.remaining()).toBe(0);
  });

  it("B12: lets the lease expire under work that drains too long, and never releases it", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    leader.drainMs = 40_000;
    const stepping = leader.election.stepDown();
    await cluster.timeline.advance(22_000);
    expect(cluster.leaders()).toEqual([]);
    expect(cluster.space.reading().record).toMatchObject({ state: "held", nodeId: leader.id });
    await untilLed(cluster, (id) => id === standby.id, 4000);
    expect(leader.calls.release).toBe(0);
    expect(leader.errors).toEqual([coded("work_overran")]);
    await cluster.timeline.advance(20_000);
    await stepping;
    expect(cluster.leaders()).toEqual([standby.id]);
    expect(cluster.overlaps).toEqual([]);
  });

  it("does not campaign again before the work of the lost term has ended", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.drainMs = 60_000;
    leader.link = "cut";
    await cluster.timeline.advance(10_000);
    leader.link = "up";
    await cluster.timeline.advance(55_000);
    expect(leader.terms).toHaveLength(1);
    await cluster.timeline.advance(10_000);
    expect(leader.terms).toHaveLength(2);
  });

  it("reports a release that fails, and leaves the lease to expire", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    leader.link = "cut";
    await leader.stop();
    expect(leader.errors).toHaveLength(2);
    await untilLed(cluster, (id) => id === standby.id, 16_000);
  });

  it("takes a lease back into its hands whose release failed", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.link = "cut";
    await cluster.timeline.advance(11_000);
    leader.link = "up";
    await cluster.timeline.advance(2100);
    expect(cluster.leaders()).toEqual(["a"]);
  });
});

describe("stepDown", () => {
  it("is refused where this node does not lead", async () => {
    const { standby, leader } = await settled(["a", "b"]);
    await expect(standby.election.stepDown()).rejects.toEqual(coded("not_leader"));
    await expect(leader.election.stepDown({ to: leader.id })).rejects.toEqual(coded("invalid_options"));
  });

  it("hands over to the node that was named", async () => {
    for (const heir of ["b", "c", "d"]) {
      const { cluster, leader } = await settled(["a", "b", "c", "d"]);
      if (leader.id === heir) continue;
      await Promise.all([leader.election.stepDown({ to: heir }), cluster.timeline.advance(50)]);
      expect(cluster.leaders()).toEqual([heir]);
    }
  });

  it("lets the others in when the named one does not come", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    await Promise.all([leader.election.stepDown({ to: "nobody" }), cluster.timeline.advance(50)]);
    expect(cluster.leaders()).toEqual([]);
    expect(await untilLed(cluster, () => true, 5000)).toBeGreaterThan(3900);
  });

  it("keeps this node away for the cooldown, a retry period by default", async () => {
    for (const [options, awayMs] of [
      [{}, 2000],
      [{ cooldownMs: 5000 }, 5000],
    ] as const) {
      const { cluster, leader } = await settled(["a"]);
      await Promise.all([leader.election.stepDown(options), cluster.timeline.advance(awayMs - 50)]);
      expect(cluster.leaders()).toEqual([]);
      await cluster.timeline.advance(120);
      expect(cluster.leaders()).toEqual(["a"]);
    }
  });
});

describe("a step-down soon after others", () => {
  it("finds somebody, though everybody else has just been asked to go", async () => {
    const { cluster, nodes } = await settled(["a", "b", "c"]);
    for (let round = 0; round < 6; round += 1) {
      const leader = await cluster.untilLeader();
      const term = leader.election.term()?.token ?? 0;
      await Promise.all([leader.election.stepDown(), cluster.timeline.advance(0)]);
      const isNew = (): boolean => nodes.some(({ election }) => (election.term()?.token ?? 0) > term);
      expect(await untilLed(cluster, isNew, 15_000)).toBeLessThanOrEqual(2100);
    }
  });
});

describe("depose", () => {
  it("fences the holder with a higher term, and another takes over", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    const before = leader.election.term()?.token ?? 0;
    const [result] = await Promise.all([standby.election.depose(), cluster.timeline.advance(3000)]);
    expect(result.deposed).toMatchObject({ nodeId: leader.id, term: before });
    expect(result.term).toBeGreaterThan(before);
    expect(cluster.leaders()).toEqual([standby.id]);
    expect(standby.election.term()?.token).toBeGreaterThan(result.term);
    expect(ends(leader)).toEqual(["deposed"]);
    expect(leader.terms[0]?.signal.reason).toEqual(coded("lease_lost"));
  });

  it("B8: works against a holder that cannot be reached, which stays fenced when it comes back", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    leader.link = "hung";
    await Promise.all([standby.election.depose(), cluster.timeline.advance(100)]);
    expect(standby.election.term()).toBeDefined();
    leader.link = "up";
    await cluster.timeline.advance(6000);
    expect(cluster.leaders()).toEqual([standby.id]);
  });

  it("says that there was nobody", async () => {
    const cluster = createCluster();
    const result = await cluster.node("a").election.depose();
    expect(result.deposed).toBeUndefined();
    expect(result.term).toBeGreaterThan(0);
  });
});

describe("reissue", () => {
  it("B4: ends the term and leads again above the fence, at once", async () => {
    const { cluster, leader, standby } = await settled(["a", "b"]);
    const fence = (leader.election.term()?.token ?? 0) + 1_000_000_000;
    leader.terms[0]?.reissue(fence);
    await cluster.timeline.advance(100);
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(leader.election.term()?.token).toBeGreaterThan(fence);
    expect(ends(leader)).toEqual(["reissued"]);
    expect(standby.terms).toEqual([]);
  });

  it("refuses a fence that is no whole number", async () => {
    const { leader } = await settled(["a"]);
    expect(() => leader.terms[0]?.reissue(Number.NaN)).toThrow(coded("invalid_options") as Error);
  });
});

describe("priority", () => {
  it("hands the lease to a node of higher priority once it was a candidate for a lease", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    cluster.node("vip", { priority: 5 }).start();
    await cluster.timeline.advance(14_000);
    expect(cluster.leaders()).toEqual([leader.id]);
    await cluster.timeline.advance(17_000);
    expect(cluster.leaders()).toEqual(["vip"]);
    expect(ends(leader)).toEqual(["stepped-down"]);
    await cluster.timeline.advance(300_000);
    expect(cluster.leaders()).toEqual(["vip"]);
    expect(cluster.space.reading().record?.termsGranted).toBe(2);
    expect(cluster.overlaps).toEqual([]);
  });
});

describe("attacks and accidents", () => {
  it("L5: a restarted node waits for the lease of its former process", async () => {
    const { cluster, leader } = await settled(["a"]);
    leader.crash();
    cluster.node("a").start();
    await cluster.timeline.advance(9000);
    expect(cluster.space.reading().record?.incarnation).toBe(leader.election.incarnation);
    await cluster.timeline.advance(20_000);
    expect(cluster.space.reading().record?.incarnation).not.toBe(leader.election.incarnation);
    expect(cluster.overlaps).toEqual([]);
  });

  it.each(["deaf", "hung"] as const)(
    "a ghost lease, whose grant was not heard on a %s link, is given back",
    async (link) => {
      const cluster = createCluster();
      const node = cluster.node("a");
      node.replyMs = 5;
      node.start();
      await cluster.timeline.runUntil(() => node.calls.acquire > 0, 100);
      node.link = link;
      await cluster.timeline.advance(10);
      expect(cluster.space.reading().record?.state).toBe("held");
      expect(node.terms).toEqual([]);
      node.link = "up";
      await cluster.timeline.advance(6000);
      expect(node.calls.release).toBe(1);
      expect(node.terms).toHaveLength(1);
      expect(node.terms[0]?.token).toBe(cluster.space.reading().record?.term);
    },
  );

  it("B1: the store's clock steps ahead between a renewal and a look", async () => {
    for (let offsetMs = 0; offsetMs < 2000; offsetMs += 250) {
      const { cluster, leader } = await settled(["a", "b", "c"]);
      await cluster.timeline.advance(offsetMs);
      cluster.space.stepClock(60_000);
      cluster.node("new").start();
      await cluster.timeline.advance(60_000);
      expect(cluster.leaders()).toEqual([leader.id]);
      expect(cluster.overlaps).toEqual([]);
    }
  });

  it("B1: the store's clock steps back an hour while the leader dies", async () => {
    const { cluster, leader } = await settled(["a", "b"]);
    cluster.space.stepClock(-3_600_000);
    leader.crash();
    expect(await untilLed(cluster, (id) => id !== leader.id, 40_000)).toBeLessThanOrEqual(30_100);
    expect(cluster.overlaps).toEqual([]);
  });

  it("B2: store and leader restart together while a fresh node looks", async () => {
    for (const keepData of [true, false]) {
      const { cluster, leader } = await settled(["a", "b", "c"]);
      leader.crash();
      cluster.space.restart({ keepData });
      for (const id of ["x", "y"]) cluster.node(id).start();
      await cluster.timeline.advance(60_000);
      expect(cluster.leaders()).toHaveLength(1);
      expect(cluster.overlaps).toEqual([]);
    }
  });

  it("B2: a stale tombstone comes up in a fail-over under a valid leader", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    await Promise.all([leader.election.stepDown({ cooldownMs: 0 }), cluster.timeline.advance(0)]);
    const tombstone = cluster.space.snapshot();
    expect(tombstone.record?.state).toBe("released");
    const second = await cluster.untilLeader();
    await cluster.timeline.advance(20_000);
    second.link = "hung";
    cluster.space.failOver(tombstone);
    for (const id of ["x", "y"]) cluster.node(id).start();
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.overlaps).toEqual([]);
  });

  it("the store loses everything under a valid leader: it writes the record anew and stays", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    for (let loss = 0; loss < 10; loss += 1) {
      cluster.space.flush();
      await cluster.timeline.advance(5000 + loss * 700);
    }
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(cluster.space.reading().record?.term).toBe(leader.terms[0]?.token);
    expect(cluster.space.reading().record?.termsGranted).toBe(1);
    expect(leader.terms).toHaveLength(1);
    expect(cluster.overlaps).toEqual([]);
  });

  it("L8: the store fails over to a replica that lags: the leader stays and hears of it", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    const old = cluster.space.snapshot();
    await cluster.timeline.advance(30_000);
    cluster.space.failOver(old);
    await cluster.timeline.advance(30_000);
    expect(cluster.leaders()).toEqual([leader.id]);
    expect(leader.events).toContainEqual({ type: "store-changed", term: leader.terms[0]?.token });
    expect(cluster.overlaps).toEqual([]);
  });

  it("B8: a valid holder writes its term over an older one that a fail-over brought back", async () => {
    const { cluster, leader } = await settled(["a", "b", "c"]);
    const old = cluster.space.snapshot();
    leader.crash();
    await untilLed(cluster, (id) => id !== leader.id, 30_000);
    const [second = ""] = cluster.leaders();
    cluster.space.failOver(old);
    await cluster.timeline.advance(30_000);
    expect(cluster.leaders()).toEqual([second]);
    expect(cluster.space.reading().record?.nodeId).toBe(second);
    expect(cluster.overlaps).toEqual([]);
  });

  it("L1: terms rise over every loss", async () => {
    const { cluster, nodes } = await settled(["a", "b", "c"]);
    for (let round = 0; round < 10; round += 1) {
      const leader = nodes.find((node) => cluster.leaders().includes(node.id));
      if (round % 2 === 0) cluster.space.restart({ keepData: false });
      await Promise.all([leader?.election.stepDown({ cooldownMs: 0 }), cluster.timeline.advance(100)]);
      if (round % 3 === 0) cluster.space.flush();
      cluster.space.stepClock(-5000);
      await untilLed(cluster, () => true, 60_000);
      await cluster.timeline.advance(5000);
    }
    const tokens = nodes
      .flatMap((node) => node.events)
      .flatMap((event) => (event.type === "elected" ? [event.term] : []));
    expect(tokens.length).toBeGreaterThanOrEqual(10);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(cluster.overlaps).toEqual([]);
  });

  it("the store is away for ten minutes: one leader within a retry period and a second of its return", async () => {
    const { cluster, nodes } = await settled(["a", "b", "c"]);
    for (const node of nodes) node.link = "cut";
    await cluster.timeline.advance(600_000);
    expect(cluster.leaders()).toEqual([]);
    for (const node of nodes) node.link = "up";
    expect(await untilLed(cluster, () => true, 10_000)).toBeLessThanOrEqual(3000);
    await cluster.timeline.advance(60_000);
    expect(cluster.leaders()).toHaveLength(1);
    expect(cluster.overlaps).toEqual([]);
  });

  it("tolerates clocks that run a tenth too fast or too slow", async () => {
    for (const [leaderRate, standbyRate, storeRate] of [
      [0.9, 1.1, 1],
      [0.9, 1.1, 1.1],
      [1.1, 0.9, 0.9],
    ] as const) {
      const cluster = createCluster({ storeClockRate: storeRate });
      const leader = cluster.node("slow", { clockRate: leaderRate });
      leader.start();
      await cluster.untilLeader();
      const standby = cluster.node("fast", { clockRate: standbyRate });
      standby.start();
      await cluster.timeline.advance(60_000);
      leader.link = "hung";
      await untilLed(cluster, (id) => id === "fast", 60_000);
      expect(cluster.overlaps).toEqual([]);
    }
  });

  it("a storm of hints costs the leader at most ten renewals a period", async () => {
    const { cluster, leader } = await settled(["a"]);
    const before = leader.calls.renew;
    for (let hint = 0; hint < 1000; hint += 1) {
      cluster.space.backend.hint();
      await cluster.timeline.advance(20);
    }
    expect(leader.calls.renew - before).toBeLessThanOrEqual(101);
  });
});

describe("a listener", () => {
  it("that throws neither stops the election nor hides the error", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    const broken = new ParallaxError("broken", "listening: broken");
    node.election.subscribe(() => {
      throw broken;
    });
    node.start();
    await cluster.untilLeader();
    expect(node.errors).toContain(broken);
  });

  it("sees the new state when it hears of it", async () => {
    const cluster = createCluster();
    const node = cluster.node("a");
    const seen: (Term | undefined)[] = [];
    node.election.subscribe(({ type }) => type === "elected" && seen.push(node.election.term()));
    node.start();
    await cluster.untilLeader();
    await cluster.timeline.advance(10);
    expect(seen).toEqual([node.terms[0]]);
  });
});
