import { isParallaxError, type Random, seededRandom } from "@parallax/core";
import { createTimeline, type NodeClock, type Timeline } from "@parallax/testing";
import {
  createMembership,
  type Membership,
  type MembershipEvent,
  type MembershipOptions,
  type MembershipStore,
} from "../../src/index.ts";
import {
  type MemoryMembershipSpace,
  memoryMembershipSpace,
  memoryMembershipStore,
} from "../../src/memory.ts";

/** How requests travel. `cut` loses requests, `deaf` loses answers, `lossy` loses either, `refused` rejects at once. */
export interface Link {
  state: "up" | "cut" | "deaf" | "lossy" | "refused";
  latencyMs: number;
  /** By how much more each way may take, so that messages overtake each other. */
  jitterMs: number;
  /** Each request arrives once more, at most this much later; 0: it does not. */
  doublesWithinMs: number;
}

function goodLink(): Link {
  return { state: "up", latencyMs: 0, jitterMs: 0, doublesWithinMs: 0 };
}

export interface TestNode {
  readonly id: string;
  readonly membership: Membership;
  readonly clock: NodeClock;
  readonly link: Link;
  readonly events: MembershipEvent[];
  readonly errors: unknown[];
  readonly calls: string[];
  vouches: boolean;
  /** How `run` ended. */
  outcome: "running" | "stopped" | unknown;
  start(): void;
  stop(): Promise<void>;
  /** Begins to stop. */
  abort(): void;
  /** The process dies: nothing is sent any more, nothing is received. */
  kill(): void;
}

export interface TestCluster {
  readonly timeline: Timeline;
  readonly space: MemoryMembershipSpace;
  /** The way to the store that all nodes share. */
  readonly store: Link;
  readonly nodes: readonly TestNode[];
  node(id: string, options?: NodeOptions): TestNode;
  /** Makes, starts and awaits the join of `node-0`, `node-1`, … */
  start(count: number, options?: NodeOptions): Promise<TestNode[]>;
  /** Every event of these types that any node was told. */
  told(...types: MembershipEvent["type"][]): MembershipEvent[];
}

export type NodeOptions = Partial<MembershipOptions> & {
  readonly rate?: number;
  readonly wallOffsetMs?: number;
};

export interface ClusterOptions {
  readonly storeRate?: number;
  /** Called with each transition, in the step that makes it. */
  readonly onEvent?: (event: { readonly type: string; readonly [field: string]: unknown }) => void;
  /** Called after each step of time. */
  readonly onStep?: () => void;
}

/** Memberships of several nodes on one memory space, each with its own clock and link. */
export function createCluster(seed = 1, options: ClusterOptions = {}): TestCluster {
  const { storeRate = 1, onEvent = () => {}, onStep = () => {} } = options;
  const timeline = createTimeline({ onStep, promisesOnly: true });
  const clock = timeline.clock({ rate: storeRate });
  const space = memoryMembershipSpace({ clock, random: seededRandom(seed), onEvent });
  /** The way to the store itself, which all nodes share. */
  const store = goodLink();
  const nodes: TestNode[] = [];

  function node(id: string, options: NodeOptions = {}): TestNode {
    const { rate = 1, wallOffsetMs = 0, ...rest } = options;
    const clock = timeline.clock({ rate, wallOffsetMs });
    const network = timeline.clock();
    const random = seededRandom(seed * 7919 + nodes.length);
    const link = goodLink();
    const controller = new AbortController();
    const events: MembershipEvent[] = [];
    const errors: unknown[] = [];
    const calls: string[] = [];
    const membership = createMembership({
      store: linked(memoryMembershipStore(space), { network, clock, links: [link, store], calls, random }),
      nodeId: id,
      address: `${id}:8080`,
      clock,
      random: seededRandom(seed * 1000 + nodes.length),
      vouch: () => self.vouches,
      onError: (error) => errors.push(error),
      ...rest,
    });
    membership.subscribe((event) => events.push(event));
    const self: TestNode = {
      id,
      membership,
      clock,
      link,
      events,
      errors,
      calls,
      vouches: true,
      outcome: undefined,
      start() {
        self.outcome = "running";
        membership.run({ signal: controller.signal }).then(
          () => {
            self.outcome = "stopped";
          },
          (error: unknown) => {
            self.outcome = error;
          },
        );
      },
      abort: () => controller.abort(),
      async stop() {
        controller.abort();
        await until(timeline, () => self.outcome !== "running", 60_000);
      },
      kill() {
        link.state = "cut";
        clock.kill();
      },
    };
    nodes.push(self);
    return self;
  }

  return {
    timeline,
    space,
    store,
    nodes,
    node,
    async start(count, options) {
      const started = Array.from({ length: count }, (_, index) => node(`node-${index}`, options));
      for (const each of started) each.start();
      await until(timeline, () => started.every((each) => isMember(space, each)));
      await timeline.advance(0);
      return started;
    },
    told: (...types) => nodes.flatMap((each) => each.events).filter(({ type }) => types.includes(type)),
  };
}

function isMember(space: MemoryMembershipSpace, { membership }: TestNode): boolean {
  return space.table()?.rows.get(membership.nodeId)?.incarnation === membership.incarnation;
}

interface Way {
  readonly network: NodeClock;
  readonly clock: NodeClock;
  readonly links: readonly Link[];
  readonly calls: string[];
  readonly random: Random;
}

/** A store at the other end of links. */
function linked(store: MembershipStore, { network, clock, links, calls, random }: Way): MembershipStore {
  const never = new Promise<never>(() => {});
  const isLost = (): boolean => links.some(({ state }) => state === "lossy") && random.next() < 0.5;
  const is = (...states: Link["state"][]): boolean => links.some(({ state }) => states.includes(state));
  const halfMs = (): number =>
    links.reduce((sum, { latencyMs, jitterMs }) => sum + latencyMs + jitterMs * random.next(), 0) / 2;
  const doublesWithinMs = (): number => Math.max(...links.map((link) => link.doublesWithinMs));
  function through<Args extends unknown[], Result>(
    name: string,
    send: (...args: Args) => Promise<Result>,
  ): (...args: Args) => Promise<Result> {
    return async (...args) => {
      calls.push(name);
      const [thereMs, backMs] = [halfMs(), halfMs()];
      if (is("refused")) throw new Error("the link is refused");
      if (is("cut") || isLost()) return never;
      if (thereMs > 0) await network.sleep(thereMs);
      const againMs = random.next() * doublesWithinMs();
      if (againMs > 0) network.after(againMs, () => void send(...args));
      const result = await send(...args);
      if (is("cut", "deaf", "refused") || isLost()) return never;
      // What arrives while the event loop is blocked is seen when it goes on.
      if (backMs > 0) await clock.sleep(backMs);
      return result;
    };
  }
  return {
    join: through("join", store.join),
    beat: through("beat", store.beat),
    sweep: through("sweep", store.sweep),
    drain: through("drain", store.drain),
    leave: through("leave", store.leave),
    read: through("read", store.read),
    history: through("history", store.history),
    hasEnded: through("hasEnded", store.hasEnded),
    declareEnded: through("declareEnded", store.declareEnded),
    subscribe: (onHint) =>
      store.subscribe(() => !is("cut", "refused", "lossy") && void clock.after(0, onHint)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** The code with which a run ended. */
export function codeOf(outcome: unknown): string | undefined {
  return isParallaxError(outcome) ? outcome.code : undefined;
}

/** Lets time pass until it is true. */
export function until(timeline: Timeline, isTrue: () => boolean, maxMs = 1_200_000): Promise<void> {
  return timeline.runUntil(isTrue, maxMs);
}
