import { type Random, seededRandom } from "@parallax/core";
import { createTimeline, type NodeClock, type Timeline } from "@parallax/testing";
import { createElection, type Election, type LeaseReading, type Term } from "../../src/index.ts";
import { type LeaseSnapshot, type MemoryLeaseSpace, memoryLeaseSpace } from "../../src/memory.ts";
import { createFences } from "./fences.ts";
import { goodLink, type Link, overNetwork } from "./network.ts";
import type { Fault, Scenario } from "./scenario.ts";
import { createTokens } from "./tokens.ts";
import { watchedStore } from "./watched-store.ts";

/** What one run showed. */
export interface SimulationResult {
  /** The first broken invariant. */
  readonly violation: string | undefined;
  /** Faults, transitions and effects at the store, each with how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** What happened when, for people. */
  readonly history: readonly string[];
}

interface Node {
  readonly index: number;
  readonly link: Link;
  /** Of its present process. */
  clock: NodeClock;
  election: Election;
  stop: AbortController;
  isUp: boolean;
  /** A process that was killed or stopped since must not come back. */
  generation: number;
  longWorkUntilMs: number;
  drainMs: number;
  /** Tokens of terms whose work runs. */
  readonly working: Set<number>;
  lastTerm: Term | undefined;
}

/** Runs one scenario to its end or to the first broken invariant. The same scenario gives the same run. */
export async function simulate(scenario: Scenario): Promise<SimulationResult> {
  // Lost calls are errors by the million, and nobody reads where they come from.
  Error.stackTraceLimit = 0;
  const world = createWorld(scenario);
  for (const node of world.nodes) world.start(node);
  for (const fault of scenario.faults) {
    await world.timeline.advance(fault.atMs - world.timeline.nowMs);
    if (world.violation()) return world.result();
    world.apply(fault);
  }
  await world.timeline.advance(scenario.healAtMs - world.timeline.nowMs);
  world.heal();
  await world.checkRecovery();
  return world.result();
}

interface World {
  readonly timeline: Timeline;
  readonly nodes: readonly Node[];
  start(node: Node): void;
  apply(fault: Fault): void;
  heal(): void;
  checkRecovery(): Promise<void>;
  violation(): string | undefined;
  result(): SimulationResult;
}

function createWorld(scenario: Scenario): World {
  const { durations } = scenario;
  const { leaseDurationMs } = durations;
  const timeline = createTimeline({ onStep: () => onStep(), promisesOnly: true });
  const random: Random = seededRandom(scenario.seed ^ 0x5eed);
  const network = timeline.clock();
  const counts = new Map<string, number>();
  const history: string[] = [];
  const overlapAllowed = new Set<number>();
  const snapshots: {
    readonly atMs: number;
    readonly lease: LeaseSnapshot;
    readonly fences: readonly number[];
  }[] = [];
  let storeAwayUntilMs = 0;
  let overlapping = "";
  let violation: string | undefined;

  const space: MemoryLeaseSpace = memoryLeaseSpace({
    clock: timeline.clock({ rate: scenario.storeRate }),
    random,
  });
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const tokens = createTokens(count);
  const fences = createFences(count, random);
  const note = (text: string): void => void history.push(`${(timeline.nowMs / 1000).toFixed(3)} s  ${text}`);
  const violate = (text: string): void => {
    if (violation === undefined) note(`BROKEN: ${text}`);
    violation ??= text;
  };

  const nodes: Node[] = scenario.rates.map((_, index) => createNode(index));

  function createNode(index: number): Node {
    const clock = timeline.clock();
    const election = createElection({ store: watchedStore(space, watch()), nodeId: `n${index}` });
    const link = goodLink();
    const rest = { isUp: false, generation: 0, longWorkUntilMs: 0, drainMs: 0, lastTerm: undefined };
    return { index, link, clock, election, stop: new AbortController(), working: new Set(), ...rest };
  }

  function watch() {
    return {
      count,
      deposed(before: { readonly term: number } | undefined): void {
        count("depose");
        note(`the lease is deposed (term ${before?.term ?? "none"})`);
        if (before) overlapAllowed.add(before.term);
        for (const { token } of validTerms()) overlapAllowed.add(token);
      },
      granted(term: number, before: LeaseReading): void {
        const wrong = tokens.granted(term, before);
        if (wrong) violate(wrong);
      },
      released(term: number): void {
        note(`term ${term} is released`);
        // L4: never release while the work still runs.
        if (nodes.some(({ working }) => working.has(term)))
          violate(`term ${term} was released under its work (L4)`);
      },
    };
  }

  /** A new process: new incarnation, new clock, same link. */
  function start(node: Node): void {
    node.generation += 1;
    node.isUp = true;
    node.stop = new AbortController();
    node.clock = timeline.clock({ rate: scenario.rates[node.index] ?? 1 });
    const store = overNetwork(watchedStore(space, watch()), {
      link: node.link,
      network,
      process: node.clock,
      random,
      isStoreAway: () => timeline.nowMs < storeAwayUntilMs,
      slowMs: leaseDurationMs,
      nowMs: () => timeline.nowMs,
    });
    node.election = createElection({
      store,
      nodeId: `n${node.index}`,
      ...durations,
      clock: node.clock,
      random,
      priority: scenario.priorities[node.index] ?? 0,
      onMissingRecord: scenario.onMissingRecord,
    });
    node.election.subscribe((event) => {
      if (event.type === "leader") return;
      const term = node.election.term();
      if (event.type === "store-changed" && term) fences.raise(term);
      count(event.type === "ended" ? `ended: ${event.reason}` : event.type);
      note(`n${node.index} ${event.type} ${event.term}${event.type === "ended" ? ` (${event.reason})` : ""}`);
    });
    void node.election
      .run((term) => lead(node, term), { signal: node.stop.signal })
      .catch((error: unknown) => {
        violate(`n${node.index} stopped running: ${String(error)}`);
      });
  }

  async function lead(node: Node, term: Term): Promise<void> {
    node.lastTerm = term;
    node.working.add(term.token);
    const wrong = tokens.started(term.token);
    if (wrong && !overlapAllowed.has(term.token)) violate(wrong);
    const { clock } = node;
    fences.raise(term);
    if (!term.signal.aborted)
      await new Promise((resolve) => term.signal.addEventListener("abort", resolve, { once: true }));
    const drainMs = timeline.nowMs < node.longWorkUntilMs ? node.drainMs : random.next() * 50;
    await clock.sleep(drainMs);
    // Late as it may be: the fence decides.
    fences.write(term.token);
    node.working.delete(term.token);
  }

  function validTerms(): { readonly node: Node; readonly token: number }[] {
    return nodes.flatMap((node) => {
      const token = node.isUp ? node.election.term()?.token : undefined;
      return token === undefined ? [] : [{ node, token }];
    });
  }

  function checkOverlap(valid: ReturnType<typeof validTerms>): void {
    const counted = valid.filter(({ token }) => !overlapAllowed.has(token));
    if (counted.length > 1) {
      const who = counted.map(({ node, token }) => `n${node.index} with ${token}`).join(", ");
      violate(`valid at once: ${who} (L3)`);
      return;
    }
    const tokensAtOnce = valid.map(({ token }) => token).join();
    if (tokensAtOnce !== overlapping) count("overlap after depose");
    overlapping = tokensAtOnce;
  }

  function onStep(): void {
    let valid = 0;
    for (const node of nodes) if (node.isUp && node.election.term()) valid += 1;
    if (valid > 1) checkOverlap(validTerms());
    const last = snapshots.at(-1);
    if (!last || timeline.nowMs - last.atMs >= 250) {
      snapshots.push({ atMs: timeline.nowMs, lease: space.snapshot(), fences: fences.snapshot() });
    }
  }

  function kill(node: Node): void {
    node.isUp = false;
    node.clock.kill();
    node.working.clear();
  }

  function comeBack(node: Node, ms: number): void {
    const { generation } = node;
    network.after(ms, () => {
      if (node.generation === generation && !node.isUp) start(node);
    });
  }

  /** What takes effect for a while takes effect until. */
  function until(ms: number): number {
    return timeline.nowMs + ms;
  }

  function spoil(what: keyof Link): (node: Node, ms: number) => void {
    return ({ link }, ms) => {
      link[what] = until(ms);
    };
  }

  /** Whether there is something to spoil. */
  function isPossible({ kind }: Fault, node: Node): boolean {
    if (kind === "process crash" || kind === "stop") return node.isUp;
    if (kind === "step down" || kind === "reissue") return validTerms().length > 0;
    return true;
  }

  const act: Record<Fault["kind"], (node: Node, ms: number) => void> = {
    "lossy link": spoil("lossyUntilMs"),
    "doubling link": spoil("doublingUntilMs"),
    "slow link": spoil("slowUntilMs"),
    "deaf link": spoil("deafUntilMs"),
    "mute link": spoil("muteUntilMs"),
    "no hints": spoil("hintlessUntilMs"),
    pause: ({ clock }, ms) => clock.stall(ms),
    "machine sleep": ({ clock }, ms) => clock.suspend(ms),
    "wall clock step": ({ clock }, ms) => clock.stepWall(ms),
    "long work"(node, ms) {
      node.longWorkUntilMs = until(60_000);
      node.drainMs = ms;
    },
    "process crash"(node, ms) {
      kill(node);
      comeBack(node, ms);
    },
    stop(node, ms) {
      node.stop.abort();
      const { generation } = node;
      network.after(2 * leaseDurationMs, () => {
        if (node.generation !== generation || !node.isUp) return;
        kill(node);
        comeBack(node, ms);
      });
    },
    "step down"(_, ms) {
      const [leader] = validTerms();
      const to = ms % 2 === 0 ? { to: `n${ms % 7}` } : {};
      leader?.node.election.stepDown({ ...to, cooldownMs: ms }).catch(() => count("step down refused"));
    },
    depose: ({ election }) => void election.depose().catch(() => {}),
    reissue() {
      const [leader] = validTerms();
      leader?.node.election.term()?.reissue(leader.token + 20);
    },
    "store clock step": (_, ms) => space.stepClock(ms),
    "store away"(_, ms) {
      storeAwayUntilMs = until(ms);
    },
    "store restart"(_, ms) {
      storeAwayUntilMs = until(ms);
      space.restart({ keepData: true });
    },
    "store restart without data"(_, ms) {
      storeAwayUntilMs = until(ms);
      space.restart({ keepData: false });
    },
    "store fail-over"(_, ms) {
      const before = snapshots.findLast(({ atMs }) => atMs <= timeline.nowMs - ms);
      space.failOver(before?.lease ?? { record: undefined });
      fences.rewind(before?.fences);
    },
    flush: () => space.flush(),
  };

  return {
    timeline,
    nodes,
    start,
    apply(fault) {
      const node = fault.node === "leader" ? (validTerms()[0]?.node ?? nodes[0]) : nodes[fault.node];
      if (!node) return;
      note(`fault: ${fault.kind}, n${node.index}, ${fault.ms} ms`);
      const doesSpoil = isPossible(fault, node);
      count(doesSpoil ? fault.kind : `${fault.kind}: nothing to do`);
      if (doesSpoil) act[fault.kind](node, fault.ms);
    },
    heal() {
      note("everything heals");
      for (const node of nodes) {
        Object.assign(node.link, goodLink());
        node.longWorkUntilMs = 0;
      }
      storeAwayUntilMs = 0;
    },
    async checkRecovery() {
      await timeline.advance(7 * leaseDurationMs);
      const before = validTerms();
      const [leader] = before;
      if (before.length !== 1) violate(`${before.length} leaders seven leases after everything healed`);
      // B4: a term from a fast clock must not leave a leader that may do nothing.
      if (leader && fences.blocks(leader.token))
        violate(`a fence is above the leader's token ${leader.token}`);
      await timeline.advance(3 * leaseDurationMs);
      const after = validTerms();
      if (after[0]?.token !== before[0]?.token) violate("the leader changed though nothing was wrong");
    },
    violation: () => violation,
    result: () => ({ violation, counts, history }),
  };
}
