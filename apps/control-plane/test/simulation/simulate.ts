import { isParallaxError, type Logger, noopLogger, seededRandom } from "@parallax/core";
import { createTimeline, type Timeline } from "@parallax/testing";
import { isFinal } from "../../src/executions/record.ts";
import { type SimulatedAgent, startAgent } from "./agents.ts";
import { createPlace, createSharedStore, type Place } from "./cluster.ts";
import type { Fault, FaultKind, Scenario, Wish } from "./scenario.ts";
import { type Counts, count, createWatch } from "./watch.ts";

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

/** Plays one history to its end. The same scenario gives the same history. */
export async function simulate(
  scenario: Scenario,
  counts: Counts,
  logger: Logger = noopLogger,
): Promise<History> {
  const random = seededRandom(scenario.seed + 1);
  let look = (): void => {};
  const timeline = createTimeline({ onStep: () => look() });
  const store = createSharedStore(timeline, random);
  let messagesLost = 0;
  const dead = new Set<string>();
  const places: Place[] = Array.from({ length: scenario.nodes }, (_, index) =>
    createPlace({
      id: `node-${index}`,
      timeline,
      random,
      backendsFor: store.backendsFor,
      messagesGetThrough: () => messagesLost === 0 || random.next() < 0.5,
      logger,
    }),
  );
  const doors = () => places.flatMap((place) => place.door ?? []);
  const agents = Array.from({ length: scenario.agents }, (_, index) =>
    startAgent({ name: `agent-${index}`, seed: scenario.seed * 10 + index, timeline, doors, failing: 0.02 }),
  );
  let rolledBack = 0;
  const watch = createWatch({
    space: store.records,
    counts,
    isAlive: (owner) => !dead.has(owner),
    mayLackLetters: () => rolledBack > 0,
  });
  look = watch.look;

  const crash = (place: Place): void => {
    const { node } = place;
    if (node) dead.add(node.work.peers.self().owner);
    place.crash();
  };
  const world: World = {
    timeline,
    places,
    agents,
    crash,
    store,
    loseMessages(ms) {
      messagesLost += 1;
      timeline.clock().after(ms, () => (messagesLost -= 1));
    },
    rollBack(ms) {
      rolledBack += 1;
      store.rollBack(ms);
    },
  };

  const outside = timeline.clock();
  for (const place of places) place.start();
  for (const fault of scenario.faults) {
    outside.after(fault.atMs, () => {
      count(counts, `fault: ${fault.kind}`);
      actions[fault.kind](world, fault);
    });
  }
  const accepted = new Map<string, Wish>();
  for (const wish of scenario.wishes) outside.after(wish.atMs, () => void ask(world, wish, accepted));
  const remembering = scenario.faults.some(({ kind }) => kind === "store rolled back");
  if (remembering) outside.every(100, store.remember);

  const over = (): boolean =>
    accepted.size === scenario.wishes.length &&
    [...watch.seen.values()].every(({ record }) => isFinal(record.status));
  const calmMs = Math.max(...scenario.faults.map(({ atMs, ms }) => atMs + ms)) + 4000;
  while (!(timeline.nowMs > calmMs && over()) && timeline.nowMs < calmMs + limitMs)
    await timeline.advance(500);

  const broken: string[] = [];
  let excused = 0;
  const judge = (id: string, what: string): void => {
    const owners = watch.seen.get(id)?.owners ?? new Set();
    // A roll-back and a dead owner together: what the contract says that Redis can lose.
    if (rolledBack > 0 && [...owners, ...dead].some((owner) => dead.has(owner))) excused += 1;
    else broken.push(`${id} ${what}`);
  };
  for (const [id, what] of watch.wrong) judge(id, what);
  const { records } = store.records.shelf(0, "execution");
  for (const id of accepted.keys()) if (!records.has(id)) judge(id, "was accepted and is gone");
  for (const [id, { record }] of watch.seen) {
    count(counts, `end: ${record.status}${record.error ? ` ${record.error.code}` : ""}`);
    if (!isFinal(record.status)) judge(id, `never ended: ${record.status} at ${record.owner}`);
  }
  if (accepted.size < scenario.wishes.length) broken.push("a submission was never accepted");
  for (const place of places) place.crash();
  return { broken, excused, accepted: accepted.size, virtualMs: timeline.nowMs };
}

interface World {
  readonly timeline: Timeline;
  readonly places: readonly Place[];
  readonly agents: readonly SimulatedAgent[];
  readonly store: ReturnType<typeof createSharedStore>;
  crash(place: Place): void;
  loseMessages(ms: number): void;
  rollBack(ms: number): void;
}

/** Submits until it is accepted, as a client with an idempotency key does; and cancels if it changes its mind. */
async function ask({ places, timeline }: World, wish: Wish, accepted: Map<string, Wish>): Promise<void> {
  const clock = timeline.clock();
  const request = { pattern: wish.pattern, input: wish.key, options: {} };
  for (let attempt = wish.node; ; attempt += 1) {
    const place = places[attempt % places.length];
    const node = place?.node;
    try {
      if (node && node.health.snapshot().state !== "starting") {
        const submitting = node.work.catalog.submit({ request, caller: "c", idempotencyKey: wish.key });
        // A client that hears nothing from a dead node goes elsewhere.
        const gone = clock.sleep(12_000).then(() => undefined);
        const done = await Promise.race([submitting, gone]);
        if (done) {
          accepted.set(done.execution.id, wish);
          if (wish.cancelAfterMs === undefined) return;
          await clock.sleep(wish.cancelAfterMs);
          place?.node?.work.catalog.cancel(done.execution.id).catch(() => {});
          return;
        }
      }
    } catch (error) {
      if (!isParallaxError(error)) throw error;
    }
    await clock.sleep(500);
  }
}

type Action = (world: World, fault: Fault) => void;

function placeOf({ places }: World, index: number): Place {
  const place = places[index % places.length];
  if (!place) throw new Error("there is no place");
  return place;
}

function crashAndReturn(world: World, place: Place, ms: number): void {
  world.crash(place);
  world.timeline.clock().after(ms, () => {
    if (place.wire?.state === "dead") place.start();
  });
}

function impair(world: World, place: Place, state: "cut" | "answers lost", ms: number): void {
  const { wire } = place;
  if (wire?.state !== "up") return;
  wire.state = state;
  world.timeline.clock().after(ms, () => {
    if (wire.state === state) wire.state = "up";
  });
}

const actions: Readonly<Record<FaultKind, Action>> = {
  "node crashes": (world, { node, ms }) => crashAndReturn(world, placeOf(world, node), ms),
  "node restarts fast": (world, { node, ms }) => crashAndReturn(world, placeOf(world, node), ms),
  "two nodes crash": (world, { node, ms }) => {
    for (const index of [node, node + 1]) crashAndReturn(world, placeOf(world, index), ms);
  },
  "all nodes crash": (world, { ms }) => {
    for (const place of world.places) crashAndReturn(world, place, ms);
  },
  "node stands still": (world, { node, ms }) => placeOf(world, node).clock?.stall(ms),
  "node is drained": (world, { node, ms }) => {
    const place = placeOf(world, node);
    const { wire } = place;
    place.drain();
    world.timeline.clock().after(3000 + ms, () => {
      // It has left by now, or else whoever runs it ends it.
      if (place.wire !== wire) return;
      world.crash(place);
      place.start();
    });
  },
  "node cut off from the store": (world, { node, ms }) => impair(world, placeOf(world, node), "cut", ms),
  "answers of the store lost": (world, { node, ms }) =>
    impair(world, placeOf(world, node), "answers lost", ms),
  "messages lost": (world, { ms }) => world.loseMessages(ms),
  "store away": ({ store, timeline }, { ms }) => {
    store.wire.state = "cut";
    timeline.clock().after(ms, () => {
      store.wire.state = "up";
    });
  },
  "store rolled back": (world, { ms }) => world.rollBack(ms),
  "agent loses its connection": ({ agents }, { agent }) => agents[agent % agents.length]?.cut(),
  "agent dies": ({ agents }, { agent, ms }) => agents[agent % agents.length]?.die(ms),
  "agent slow": ({ agents, timeline }, { agent, ms }) => {
    const slow = agents[agent % agents.length];
    if (!slow) return;
    slow.slowMs = ms;
    timeline.clock().after(ms, () => {
      slow.slowMs = 0;
    });
  },
};
