import type { Table } from "../../src/table.ts";
import type { NodeOptions, TestCluster, TestNode } from "../support/cluster.ts";
import type { FaultKind } from "./scenario.ts";

/** A place in the cluster: the processes that have its id, and what they suffer from. */
export interface Place {
  node: TestNode;
  /** Processes of the same id elsewhere. Of all of them the last to join stays, and the others end. */
  readonly rivals: TestNode[];
  readonly options: NodeOptions;
  /** True time until which a fault of its own lasts, and until which it is down. */
  impairedUntilMs: number;
  asleepUntilMs: number;
  downUntilMs: number | undefined;
}

/** The way to the store and back. */
export const latencyMs = 2;

/** What a fault happens to. */
export interface Target {
  readonly cluster: TestCluster;
  readonly place: Place;
  readonly places: readonly Place[];
  readonly ms: number;
  readonly add: (id: string, options: NodeOptions) => TestNode;
  /** An end that was told may be taken back from now on. */
  readonly forget: () => void;
  readonly tables: readonly { readonly atMs: number; readonly table: Table | undefined }[];
}

type Action = (target: Target) => void;

/** When a link is up again: one fault may end while another goes on. */
const badUntilMs = new WeakMap<TestNode["link"], number>();

function link(state: TestNode["link"]["state"]): Action {
  return ({ cluster: { timeline }, place, ms }) => {
    const { node } = place;
    node.link.state = state;
    impair(place, timeline.nowMs + ms);
    const untilMs = timeline.nowMs + ms;
    badUntilMs.set(node.link, Math.max(untilMs, badUntilMs.get(node.link) ?? 0));
    timeline.clock().after(ms, () => {
      if (badUntilMs.get(node.link) === untilMs) node.link.state = "up";
    });
  };
}

const cut = link("cut");

/** Lets the store be away for a while, and come back in some state. */
function away(comeBack: (target: Target) => void): Action {
  return (target) => {
    const { cluster, ms } = target;
    cluster.store.state = ms % 2 < 1 ? "cut" : "refused";
    cluster.timeline.clock().after(ms, () => {
      comeBack(target);
      cluster.store.state = "up";
    });
  };
}

function impair(place: Place, untilMs: number): void {
  place.impairedUntilMs = Math.max(place.impairedUntilMs, untilMs);
}

/** What each fault does. */
export const actions: Readonly<Record<FaultKind, Action>> = {
  "cut link": link("cut"),
  "deaf link": link("deaf"),
  "lossy link": link("lossy"),
  "refused link": link("refused"),
  stall({ cluster: { timeline }, place, ms }) {
    place.node.clock.stall(ms);
    impair(place, timeline.nowMs + ms);
  },
  "machine sleep"({ cluster: { timeline }, place, ms }) {
    place.node.clock.suspend(ms);
    // A machine that is sent to sleep again sleeps for both times.
    place.asleepUntilMs = Math.max(place.asleepUntilMs, timeline.nowMs) + ms;
    impair(place, place.asleepUntilMs);
  },
  "no vouching"({ cluster: { timeline }, place, ms }) {
    const { node } = place;
    node.vouches = false;
    impair(place, timeline.nowMs + ms);
    timeline.clock().after(ms, () => {
      node.vouches = true;
    });
  },
  crash({ cluster: { timeline }, place, ms }) {
    place.node.kill();
    place.downUntilMs = timeline.nowMs + ms;
    impair(place, place.downUntilMs);
  },
  stop({ cluster: { timeline }, place, ms }) {
    place.node.abort();
    place.downUntilMs = timeline.nowMs + ms;
    impair(place, place.downUntilMs);
  },
  "same id elsewhere"({ cluster: { timeline }, place, add }) {
    place.rivals.push(place.node);
    place.node = add(place.node.id, { ...place.options, address: `10.1.0.0:${Math.round(timeline.nowMs)}` });
    impair(place, timeline.nowMs);
  },
  "majority cut"(target) {
    const { places, place } = target;
    const count = Math.floor(places.length / 2) + 1;
    const from = places.indexOf(place);
    for (let index = 0; index < count; index += 1) {
      const other = places[(from + index) % places.length];
      if (other?.downUntilMs === undefined && other) cut({ ...target, place: other });
    }
  },
  "slow link"({ cluster: { timeline }, place, ms }) {
    const { node } = place;
    // Answers overtake each other, and stay within the time-out of whose clock runs fastest.
    Object.assign(node.link, { latencyMs: 1500, jitterMs: 1000 });
    timeline.clock().after(ms, () => Object.assign(node.link, { latencyMs, jitterMs: 0 }));
  },
  "doubling link"({ cluster: { timeline }, place, ms }) {
    const { node } = place;
    node.link.doublesWithinMs = 3000;
    timeline.clock().after(ms, () => {
      node.link.doublesWithinMs = 0;
    });
  },
  "wall clock step": ({ place, ms }) => place.node.clock.stepWall(ms),
  drain: ({ place }) => void place.node.membership.drain().catch(() => {}),
  "store away": away(() => {}),
  // With its data, as from an append-only file; what it is known by has changed.
  "store restarted": away(({ cluster: { space } }) => space.rewind(space.table())),
  "store wiped": away(({ cluster: { space }, forget }) => {
    forget();
    space.rewind(undefined);
  }),
  "store clock step": ({ cluster: { space }, ms }) => space.stepClock(ms),
  "store lost"({ cluster: { space }, forget }) {
    forget();
    space.lose();
  },
  "store rewound"({ cluster: { space, timeline }, ms, tables, forget }) {
    forget();
    const earlier = tables.findLast(({ atMs }) => atMs <= timeline.nowMs - ms) ?? tables[0];
    space.rewind(earlier?.table);
  },
};
