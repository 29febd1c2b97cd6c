import type { Place } from "./cluster.ts";
import { patterns, putPatterns } from "./cluster.ts";
import type { Fault, FaultKind } from "./scenario.ts";
import { ownerOf, placeOf, type World } from "./world.ts";

type Action = (world: World, fault: Fault) => void;

function crashAndReturn(world: World, place: Place, how: string, ms: number): void {
  world.crash(place, how);
  const { wire } = place;
  world.outside.after(ms, () => {
    if (place.wire === wire && wire?.state === "dead") place.start();
  });
}

function impair(
  world: World,
  { wire }: Pick<Place, "wire">,
  state: "cut" | "answers lost",
  ms: number,
): void {
  if (wire?.state !== "up") return;
  wire.state = state;
  world.outside.after(ms, () => {
    if (wire.state === state) wire.state = "up";
  });
}

function slowDown(world: World, { wire }: Pick<Place, "wire">, ms: number): void {
  if (!wire) return;
  wire.slowMs = 1 + Math.floor(world.random.next() * 400);
  world.outside.after(ms, () => {
    wire.slowMs = 0;
  });
}

function delay(world: World, { wire }: Pick<Place, "wire">, late: "half" | "writes", ms: number): void {
  if (!wire) return;
  wire.late = late;
  world.outside.after(ms, () => {
    wire.late = "nothing";
  });
}

/** A node ends, and whoever leads ends too as soon as the first execution of it has another owner. */
function crashInRecovery(world: World, { node, ms }: Fault): void {
  const place = placeOf(world, node);
  const owner = place.node && ownerOf(place.node);
  const how = "leader crashes in recovery";
  crashAndReturn(world, place, how, ms);
  if (owner === undefined) return;
  const { records } = world.store;
  const owned = [...records.shelf(0, "execution").records]
    .filter(([, { fields }]) => fields.get("owner") === owner)
    .map(([id]) => id);
  const isHandedOver = (): boolean => {
    const shelf = records.shelf(0, "execution").records;
    return owned.some((id) => shelf.get(id)?.fields.get("owner") !== owner);
  };
  world.once(isHandedOver, 15_000, () => {
    const leader = world.places.find((one) => one.node?.election.stats().isLeader);
    if (leader) crashAndReturn(world, leader, how, ms);
  });
}

/** Whichever node runs the execution that runs longest is ended by it, shortly after it has got it. */
function killEveryOwner(world: World, { ms }: Fault): void {
  const { records } = world.store;
  const [id] =
    [...records.shelf(0, "execution").records].find(([, { fields }]) => fields.get("status") === "running") ??
    [];
  if (id === undefined) return;
  const next = (times: number): void => {
    const ownerNow = (): Place | undefined => {
      const fields = records.shelf(0, "execution").records.get(id)?.fields;
      if (fields?.get("status") !== "running" && fields?.get("status") !== "aggregating") return undefined;
      return world.places.find(({ node }) => node && ownerOf(node) === fields?.get("owner"));
    };
    world.once(
      () => ownerNow() !== undefined,
      20_000,
      () => {
        world.outside.after(50, () => {
          const place = ownerNow();
          if (place) crashAndReturn(world, place, "execution kills its nodes", ms);
          if (times > 1) next(times - 1);
        });
      },
    );
  };
  next(3);
}

function changePattern(world: World, { node }: Fault): void {
  const parts = placeOf(world, node).node;
  if (!parts) return;
  const changed = patterns
    .filter(({ name }) => name === "one" || name === "three" || name === "quorum")
    .map((pattern) => ({
      ...pattern,
      agents: { min: 1, max: 2 },
      aggregate: { strategy: "first" } as const,
    }));
  void putPatterns(parts, true, changed);
}

function leaderOf({ places }: World) {
  return places.find(({ node }) => node?.election.stats().isLeader)?.node;
}

export const actions: Readonly<Record<FaultKind, Action>> = {
  "node crashes": (world, { node, ms, kind }) => crashAndReturn(world, placeOf(world, node), kind, ms + 1000),
  "node restarts fast": (world, { node, ms, kind }) => crashAndReturn(world, placeOf(world, node), kind, ms),
  "two nodes crash": (world, { node, ms, kind }) => {
    for (const index of [node, node + 1]) crashAndReturn(world, placeOf(world, index), kind, ms);
  },
  "all nodes crash": (world, { ms, kind }) => {
    for (const place of world.places) crashAndReturn(world, place, kind, ms);
  },
  "leader crashes in recovery": crashInRecovery,
  "execution kills its nodes": killEveryOwner,
  "node stands still": (world, { node, ms }) => placeOf(world, node).clock?.stall(ms),
  "machine sleeps": (world, { node, ms }) => placeOf(world, node).clock?.suspend(ms),
  "wall clock steps": (world, { node, ms }) =>
    placeOf(world, node).clock?.stepWall(world.random.next() < 0.5 ? ms : -ms),
  "node is drained": (world, { node, ms }) => {
    const place = placeOf(world, node);
    const { wire } = place;
    place.drain();
    world.outside.after(3000 + ms, () => {
      // It has left by now, or else whoever runs it ends it.
      if (place.wire !== wire) return;
      world.crash(place, "ended in its drain");
      place.start();
    });
  },
  "leader steps down": (world) =>
    void leaderOf(world)
      ?.election.stepDown()
      .catch(() => {}),
  "leader is deposed": (world, { node }) =>
    void placeOf(world, node)
      .node?.election.depose()
      .catch(() => {}),
  "node cut off from the store": (world, { node, ms }) => impair(world, placeOf(world, node), "cut", ms),
  "answers of the store lost": (world, { node, ms }) =>
    impair(world, placeOf(world, node), "answers lost", ms),
  "way to the store slow": (world, { node, ms }) => slowDown(world, placeOf(world, node), ms),
  "store slow": (world, { ms }) => slowDown(world, world.store, ms),
  "messages lost": ({ network, outside }, { ms }) => {
    network.lossy += 1;
    outside.after(ms, () => (network.lossy -= 1));
  },
  "messages late": ({ network, outside }, { ms }) => {
    network.lateMs = 2000;
    outside.after(ms, () => (network.lateMs = 0));
  },
  "store away": (world, { ms }) => impair(world, world.store, "cut", ms),
  // What it goes back to was noted before: see `simulate`.
  "store rolled back": () => {},
  "store loses everything": (world) => world.forget(() => world.store.lose()),
  "agent loses its connection": ({ agents }, { agent }) => agents[agent % agents.length]?.cut(),
  "agent dies": ({ agents }, { agent, ms }) => agents[agent % agents.length]?.die(ms),
  "agents all gone": ({ agents }, { ms }) => {
    for (const agent of agents) agent.die(ms);
  },
  "agent slow": ({ agents, outside }, { agent, ms }) => {
    const slow = agents[agent % agents.length];
    if (!slow) return;
    slow.slowMs = ms;
    outside.after(ms, () => {
      slow.slowMs = 0;
    });
  },
  "pattern changes": changePattern,
  "calls come late": (world, { node, ms }) => delay(world, placeOf(world, node), "half", ms),
  // For longer than whoever leads repeats one and the same write.
  "hand-overs come late": (world, { node, ms, kind }) => {
    for (const place of world.places) delay(world, place, "writes", 8000 + ms);
    crashAndReturn(world, placeOf(world, node), kind, 300);
  },
  "drain comes late": (world, fault) => {
    delay(world, placeOf(world, fault.node), "writes", 2000 + fault.ms);
    actions["node is drained"](world, fault);
  },
};
