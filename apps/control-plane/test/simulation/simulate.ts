import { isParallaxError, seededRandom } from "@parallax/core";
import { createTimeline } from "@parallax/testing";
import { incarnationOf, isFinal } from "../../src/executions/record.ts";
import { startAgent } from "./agents.ts";
import { createPlace, createSharedStore, type Place, putPatterns } from "./cluster.ts";
import { takenBackProblem } from "./endings.ts";
import { actions } from "./faults.ts";
import type { Scenario, Wish } from "./scenario.ts";
import { storyLogger } from "./story.ts";
import { type Counts, count, createWatch, type Seen, type Watch } from "./watch.ts";
import { createFates, type Loss, ownerOf, type World } from "./world.ts";

export interface History {
  /** What broke a promise, one line each; none: all were kept. */
  readonly broken: readonly string[];
  /** Losses that the contract states: the store went back, and the execution's process was dead by then. */
  readonly excused: number;
  readonly accepted: number;
  readonly virtualMs: number;
}

/** Everything ends this long after the last fault, or hangs. */
const limitMs = 240_000;
/** Within this time of a fail-over an owner that lives has written anew what it took back. */
const rewrittenMs = 10_000;
/** Within this time of its adoption an execution is in its owner's memory. */
const loadedMs = 2500;
/** Within this time whoever runs a cluster sees to its patterns. */
const patternsMs = 3000;
const tickMs = 500;

export interface SimulateOptions {
  /** Is told what happens, line by line. */
  readonly tell?: (line: string) => void;
}

/** Plays one history to its end. The same scenario gives the same history. */
export async function simulate(
  scenario: Scenario,
  counts: Counts,
  options: SimulateOptions = {},
): Promise<History> {
  const history = begin(scenario, counts, options);
  const { world, watch, accepted } = history;
  const { timeline, outside } = world;
  for (const fault of scenario.faults) {
    outside.after(fault.atMs, () => {
      count(counts, `fault: ${fault.kind}`);
      world.tell(`FAULT ${fault.kind} node ${fault.node} agent ${fault.agent} ${fault.ms} ms`);
      actions[fault.kind](world, fault);
    });
    if (fault.kind !== "store rolled back") continue;
    let restore = (): void => {};
    outside.after(fault.atMs - fault.ms, () => (restore = world.store.remember()));
    outside.after(fault.atMs, () => world.forget(restore));
  }
  for (const wish of scenario.wishes) outside.after(wish.atMs, () => void ask(world, watch, wish, accepted));

  const isStored = (id: string): boolean => world.store.records.shelf(0, "execution").records.has(id);
  const over = (): boolean =>
    accepted.size === scenario.wishes.length &&
    [...watch.seen].every(([id, { status }]) => isFinal(status) || !isStored(id));
  const calmMs = Math.max(...scenario.faults.map(({ atMs, ms }) => atMs + ms)) + 2000;
  while (!(timeline.nowMs > calmMs && over()) && timeline.nowMs < calmMs + limitMs)
    await timeline.advance(1000);
  for (const place of world.places) place.crash();
  for (const agent of world.agents) agent.stop();
  return judge(scenario, history);
}

interface Beginning {
  readonly world: World;
  readonly watch: Watch;
  readonly accepted: Map<string, Wish>;
  readonly losses: Map<string, Loss[]>;
}

function begin(scenario: Scenario, counts: Counts, { tell: write }: SimulateOptions): Beginning {
  const random = seededRandom(scenario.seed + 1);
  let isDirty = false;
  let isForgetful = false;
  let forgotAtMs = Number.NEGATIVE_INFINITY;
  const waits = new Set<() => void>();
  const timeline = createTimeline({
    promisesOnly: true,
    onStep() {
      if (isDirty) {
        isDirty = false;
        watch.look();
      }
      for (const wait of waits) wait();
    },
  });
  const tell = (line: string): void => write?.(`${(timeline.nowMs / 1000).toFixed(3).padStart(8)} ${line}`);
  const outside = timeline.clock();
  const fates = createFates(() => timeline.nowMs);
  const store = createSharedStore(timeline, random, () => (isDirty = true));
  const losses = new Map<string, Loss[]>();
  const network: World["network"] = {
    clock: outside,
    random,
    lossy: 0,
    lateMs: 0,
    lineage: 0,
    messageDelayMs() {
      if (network.lossy > 0 && random.next() < 0.5) return undefined;
      return network.lateMs === 0 ? 0 : random.next() * network.lateMs;
    },
  };
  const places: Place[] = Array.from({ length: scenario.nodes }, (_, index) =>
    createPlace({
      ...{ id: `node-${index}`, timeline, random, store, network },
      hasFunction: index !== scenario.without,
      ...(write ? { logger: storyLogger((line) => tell(`node-${index} ${line}`)) } : {}),
      onNode: (node) =>
        node.membership.subscribe((event) => {
          if (event.type === "ended") fates.note(`node-${index}#${event.incarnation}`, "declared dead");
        }),
      onLeft: (node) => fates.note(ownerOf(node), "it has left"),
    }),
  );
  const liveOwners = (): Map<string, Place> =>
    new Map(places.flatMap((place) => (place.node ? [[ownerOf(place.node), place]] : [])));
  // Who was declared dead is dead to the cluster, though it may not know yet.
  store.membership.subscribe(() => {
    const ended = store.membership.table()?.ended;
    for (const [owner, place] of liveOwners())
      if (ended?.has(incarnationOf(owner))) fates.note(owner, stateOf(place));
  });

  const watch = createWatch({
    space: store.records,
    counts,
    nowMs: () => timeline.nowMs,
    hasLost: (id) => losses.has(id),
    isForgetful: () => isForgetful,
    isAlone: scenario.nodes === 1,
    tell,
    owners: {
      fateOf: (owner) => fates.of(owner)?.how,
      reasonOf(owner) {
        const place = liveOwners().get(owner);
        if (!place) return "it has left";
        if (place.isDraining) return "it drains";
        return scenario.without === undefined ? undefined : "the function is elsewhere";
      },
    },
  });
  const world: World = {
    ...{ timeline, outside, random, places, store, fates, network, tell, delegatedAtMs: new Map() },
    agents: Array.from({ length: scenario.agents }, (_, index) =>
      startAgent({
        ...{ name: `agent-${index}`, seed: scenario.seed * 10 + index, timeline, outside, failing: 0.02 },
        doors: () => places.flatMap((place) => place.door ?? []),
        witness: {
          began: ({ id, attempt }, agentId) => watch.began(id, attempt, agentId),
          acknowledged: watch.acknowledged,
        },
      }),
    ),
    crash(place, how) {
      if (place.node) fates.note(ownerOf(place.node), how);
      place.crash();
    },
    once(condition, withinMs, act) {
      const untilMs = timeline.nowMs + withinMs;
      const wait = (): void => {
        if (timeline.nowMs <= untilMs && !condition()) return;
        waits.delete(wait);
        if (timeline.nowMs <= untilMs) outside.after(0, act);
      };
      waits.add(wait);
    },
    get forgotAtMs() {
      return forgotAtMs;
    },
    forget(restore) {
      isForgetful = true;
      forgotAtMs = timeline.nowMs;
      network.lineage += 1;
      // Connections are made anew with it.
      for (const { wire } of places) if (wire) wire.late = "nothing";
      outside.after(patternsMs, () => {
        for (const { node } of places) if (node) void putPatterns(node, true);
      });
      watch.look();
      const before = new Map(store.records.shelf(0, "execution").records);
      restore();
      const after = store.records.shelf(0, "execution").records;
      for (const [id, state] of before) {
        if (after.get(id) === state) continue;
        const entry = watch.seen.get(id);
        const givenAtMs = Math.max(entry?.adoptedAtMs ?? 0, world.delegatedAtMs.get(id) ?? 0);
        const isFresh = givenAtMs > 0 && timeline.nowMs - givenAtMs < loadedMs;
        const loss = { atMs: timeline.nowMs, owner: entry?.owner, isFresh };
        losses.set(id, [...(losses.get(id) ?? []), loss]);
        tell(`LOST ${id} of ${loss.owner}`);
        if (entry) expectBack(id, entry.tasks, loss);
      }
    },
  };
  /** X6: an owner that lives, and had it in memory, writes it anew. */
  function expectBack(id: string, tasks: Seen["tasks"], loss: Loss): void {
    outside.after(rewrittenMs, () => {
      // Nobody can write it as long as writes are held up.
      if (places.some(({ wire }) => wire?.late === "writes")) return expectBack(id, tasks, loss);
      const now = watch.seen.get(id);
      const isOnlyLoss = losses.get(id)?.at(-1) === loss;
      const hasItsOwner = loss.owner !== undefined && now?.owner === loss.owner && !fates.of(loss.owner);
      if (!now || loss.isFresh || !isOnlyLoss || !hasItsOwner) return;
      const problem = takenBackProblem(tasks, now.tasks);
      if (problem !== undefined) watch.blame(id, problem);
    });
  }
  outside.every(tickMs, () => {
    lookAtLeaders(world, scenario, watch);
    if (store.wire.state !== "up") return;
    watch.tick(tickMs, (owner) => {
      const place = places.find(({ node }) => node && ownerOf(node) === owner);
      return place?.wire?.state === "up" && place.clock?.isStalled === false;
    });
  });
  for (const place of places) place.start();
  return { world, watch, accepted: new Map(), losses };
}

/** L: two nodes never lead at once, but where somebody deposed a leader that may not know it yet. */
function lookAtLeaders({ places }: World, { faults }: Scenario, watch: Watch): void {
  const leading = places.filter(({ node }) => (node?.election.term()?.remaining() ?? 0) > 0);
  const isDeposed = faults.some(({ kind }) => kind === "leader is deposed");
  if (leading.length > 1 && !isDeposed) watch.blame("the cluster", "has two leaders");
}

function stateOf({ clock, wire }: Place): string {
  if (clock?.isStalled) return "it stood still";
  return wire?.state === "up" ? "declared dead" : "it was cut off";
}

function judge({ wishes }: Scenario, { world, watch, accepted, losses }: Beginning): History {
  const broken: string[] = [];
  let excused = 0;
  // What the store took back while, or shortly before, its owner was gone: the contract says that Redis can lose it.
  const isExcused = (id: string): boolean =>
    (losses.get(id) ?? []).some(({ atMs, owner, isFresh }) => {
      if (isFresh) return true;
      const fate = owner === undefined ? undefined : world.fates.of(owner);
      return fate !== undefined && fate.atMs <= atMs + rewrittenMs;
    });
  const accuse = (id: string, what: string): void => {
    if (isExcused(id)) excused += 1;
    else broken.push(`${id} ${what}`);
  };
  watch.checkShown();
  for (const [id, what] of watch.wrong) accuse(id, what);
  const { records } = world.store.records.shelf(0, "execution");
  for (const id of accepted.keys()) if (!records.has(id)) accuse(id, "was accepted and is gone");
  for (const [id, { status, owner }] of watch.seen)
    if (!isFinal(status) && records.has(id)) broken.push(`${id} never ended: ${status} at ${owner}`);
  if (accepted.size < wishes.length) broken.push("a submission was never accepted");
  if (watch.seen.size > wishes.length) broken.push("a repeated submission made another execution");
  return { broken, excused, accepted: accepted.size, virtualMs: world.timeline.nowMs };
}

/** Submits until it is accepted, as a client with an idempotency key does; waits for its end, or changes its mind. */
async function ask(world: World, watch: Watch, wish: Wish, accepted: Map<string, Wish>): Promise<void> {
  const { places, outside } = world;
  const request = { pattern: wish.pattern, input: wish.input, options: {} };
  for (let attempt = wish.node; ; attempt += 1) {
    const { node, clock } = places[attempt % places.length] ?? {};
    try {
      if (node && clock?.isStalled === false && node.health.snapshot().state !== "starting") {
        const submitting = node.work.catalog.submit({ request, caller: "c", idempotencyKey: wish.input.key });
        // A client that hears nothing from a dead node goes elsewhere.
        const gone = outside.sleep(12_000).then(() => undefined);
        const done = await Promise.race([submitting, gone]);
        if (done) {
          const { id } = done.execution;
          world.tell(`ACCEPTED ${id} ${wish.pattern} ${JSON.stringify(wish.input)} by ${node.nodeId}`);
          accepted.set(id, wish);
          if (done.execution.nodeId !== node.nodeId) world.delegatedAtMs.set(id, world.timeline.nowMs);
          await follow(world, watch, wish, id);
          return;
        }
      }
    } catch (error) {
      if (!isParallaxError(error)) throw error;
    }
    await outside.sleep(500);
  }
}

/** Nobody has heard that it was accepted, or somebody does not believe it. */
function repeat(world: World, watch: Watch, { repeatAfterMs, pattern, input }: Wish, id: string): void {
  const { places, outside, timeline } = world;
  if (repeatAfterMs === undefined) return;
  outside.after(repeatAfterMs, () => {
    // What a fail-over took back is known to its owner alone until that has written it anew.
    const isSettled = timeline.nowMs - world.forgotAtMs > rewrittenMs;
    const knows = ({ node }: Place) => isSettled || (node && ownerOf(node) === watch.seen.get(id)?.owner);
    const awake = places.filter(
      (place) => place.door !== undefined && place.clock?.isStalled === false && knows(place),
    );
    const node = awake[repeatAfterMs % awake.length]?.node;
    world.tell(`REPEATED ${input.key} at ${node?.nodeId}`);
    const request = { pattern, input, options: {} };
    node?.work.catalog.submit({ request, caller: "c", idempotencyKey: input.key }).catch(() => {});
  });
}

async function follow(world: World, watch: Watch, wish: Wish, id: string): Promise<void> {
  const { places, outside, random } = world;
  repeat(world, watch, wish, id);
  const anywhere = () => places[Math.floor(random.next() * places.length)]?.node;
  if (wish.cancelAfterMs !== undefined) {
    await outside.sleep(wish.cancelAfterMs);
    anywhere()
      ?.work.catalog.cancel(id)
      .catch(() => {});
  }
  if (!wish.waits) return;
  const shown = await anywhere()
    ?.work.catalog.wait(id, 30_000)
    .catch(() => undefined);
  if (!shown || !isFinal(shown.status)) return;
  watch.shown(id, shown.status, shown.error?.code ?? shown.result);
}
