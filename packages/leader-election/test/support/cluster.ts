import { seededRandom } from "@parallax/core";
import { createTimeline, type NodeClock, type Timeline } from "@parallax/testing";
import {
  createElection,
  type Election,
  type ElectionEvent,
  type ElectionOptions,
  type Term,
} from "../../src/index.ts";
import {
  type LeaseCall,
  type MemoryLeaseSpace,
  type MemoryLeaseSpaceOptions,
  memoryLeaseSpace,
  memoryLeaseStore,
} from "../../src/memory.ts";

export interface TestNode {
  readonly id: string;
  readonly election: Election;
  readonly clock: NodeClock;
  readonly events: ElectionEvent[];
  readonly errors: unknown[];
  readonly terms: Term[];
  /** How long the work goes on after its signal has aborted. */
  drainMs: number;
  /** The link to the store: `cut` loses requests, `deaf` loses answers, `hung` loses both without an error. */
  link: "up" | "cut" | "deaf" | "hung";
  /** How long requests and answers travel. */
  requestMs: number;
  replyMs: number;
  /** Whether hints get lost. */
  isHintless: boolean;
  calls: Record<LeaseCall, number>;
  start(): void;
  stop(): Promise<void>;
  /** As if the process were gone: nothing is released. */
  crash(): void;
  readonly running: Promise<void>;
}

export interface TestCluster {
  readonly timeline: Timeline;
  readonly space: MemoryLeaseSpace;
  node(id: string, options?: Partial<ElectionOptions> & { clockRate?: number }): TestNode;
  /** Ids of the nodes whose term is valid now. */
  leaders(): string[];
  untilLeader(maxMs?: number): Promise<TestNode>;
  /** Moments at which more than one term was valid. */
  readonly overlaps: string[];
}

/** Elections of several nodes on one memory lease and one timeline. */
export function createCluster(
  options: Partial<MemoryLeaseSpaceOptions> & { storeClockRate?: number } = {},
): TestCluster {
  const timeline = createTimeline({ onStep: () => onStep() });
  const nodes = new Map<string, TestNode>();
  const never = new Promise<never>(() => {});
  const fail = (node: TestNode, when: TestNode["link"]): Promise<void> => {
    if (node.link === "hung") return never;
    return node.link === when ? Promise.reject(new Error(`${node.id} has no link`)) : Promise.resolve();
  };
  const space = memoryLeaseSpace({
    clock: timeline.clock({ rate: options.storeClockRate ?? 1 }),
    random: seededRandom(1),
    ...options,
  });

  function node(id: string, nodeOptions: Partial<ElectionOptions> & { clockRate?: number } = {}): TestNode {
    const { clockRate = 1, ...electionOptions } = nodeOptions;
    const clock = timeline.clock({ rate: clockRate });
    const calls = { read: 0, acquire: 0, renew: 0, markLoss: 0, release: 0, depose: 0, challenge: 0 };
    let self: TestNode;
    const store = memoryLeaseStore(space, {
      async onRequest(call) {
        calls[call] += 1;
        if (self.requestMs > 0) await clock.sleep(self.requestMs);
        await fail(self, "cut");
      },
      async onReply() {
        if (self.replyMs > 0) await clock.sleep(self.replyMs);
        await fail(self, "deaf");
      },
      onHint: () => self.link === "up" && !self.isHintless,
    });
    const election = createElection({
      store,
      nodeId: id,
      clock,
      random: seededRandom(nodes.size + 2),
      onError: (error) => self.errors.push(error),
      ...electionOptions,
    });
    const controller = new AbortController();
    let running = Promise.resolve();
    self = {
      id,
      election,
      clock,
      calls,
      events: [],
      errors: [],
      terms: [],
      drainMs: 0,
      link: "up",
      requestMs: 0,
      replyMs: 0,
      isHintless: false,
      get running() {
        return running;
      },
      start() {
        running = election.run(
          async (term) => {
            self.terms.push(term);
            await new Promise((resolve) => term.signal.addEventListener("abort", resolve, { once: true }));
            if (self.drainMs > 0) await clock.sleep(self.drainMs);
          },
          { signal: controller.signal },
        );
        running.catch(() => {});
      },
      async stop() {
        controller.abort();
        let isDone = false;
        running.finally(() => (isDone = true)).catch(() => {});
        await timeline.runUntil(() => isDone, 60_000);
      },
      crash() {
        self.link = "hung";
      },
    };
    election.subscribe((event) => self.events.push(event));
    nodes.set(id, self);
    return self;
  }

  const leaders = (): string[] =>
    [...nodes.values()].filter((each) => each.election.term()).map((each) => each.id);
  const overlaps: string[] = [];
  function onStep(): void {
    const valid = leaders();
    if (valid.length > 1) overlaps.push(`${Math.round(timeline.nowMs)} ms: ${valid.join(", ")}`);
  }
  return {
    timeline,
    space,
    overlaps,
    node,
    leaders,
    async untilLeader(maxMs = 60_000) {
      await timeline.runUntil(() => leaders().length > 0, maxMs);
      const leader = nodes.get(leaders()[0] ?? "");
      if (!leader) throw new Error("no leader");
      return leader;
    },
  };
}
