import { cutOffAfterMs } from "../../src/create-membership.ts";
import type { MembershipEvent } from "../../src/index.ts";
import { membershipPresets } from "../../src/index.ts";
import type { Table } from "../../src/table.ts";
import { createCluster, type NodeOptions, type TestCluster, type TestNode } from "../support/cluster.ts";
import type { Fault, FaultKind, Scenario } from "./scenario.ts";

/** How a run went. `violation` says which invariant did not hold, and when. */
export interface SimulationResult {
  readonly violation: string | undefined;
  /** How often each fault and transition happened. */
  readonly counts: ReadonlyMap<string, number>;
  readonly history: readonly string[];
}

/** A place in the cluster: the processes that have its id, and what they suffer from. */
interface Place {
  node: TestNode;
  /** Processes of the same id elsewhere. Of all of them the last to join stays, and the others end. */
  readonly rivals: TestNode[];
  readonly options: NodeOptions;
  /** True time until which a fault of its own lasts, and until which it is down. */
  impairedUntilMs: number;
  asleepUntilMs: number;
  downUntilMs: number | undefined;
}

const settings = membershipPresets.default;
const failAfterMs = settings.checkIntervalMs * settings.unhealthyThreshold;
/** The way to the store and back. */
const latencyMs = 2;
/** A node that was well for so long has had a beat acknowledged: a time-out, a retry, the slowest link and clock. */
const wellAfterMs = failAfterMs + 10_000;

/** Runs a scenario, and checks every invariant with every step. */
export async function simulate(scenario: Scenario): Promise<SimulationResult> {
  const counts = new Map<string, number>();
  const history: string[] = [];
  const places: Place[] = [];
  const tables: { readonly atMs: number; readonly table: Table | undefined }[] = [];
  const ended = new Set<string>();
  const transitions = new Map<string, string>();
  let violation: string | undefined;
  let storeSteppedMs = Number.NEGATIVE_INFINITY;

  const cluster = createCluster(scenario.seed, {
    storeRate: scenario.storeRate,
    onEvent: onTransition,
    onStep,
  });
  const { timeline, space } = cluster;
  const now = (): number => timeline.nowMs;

  function note(what: string, detail = ""): void {
    counts.set(what, (counts.get(what) ?? 0) + 1);
    history.push(`${(now() / 1000).toFixed(3)} s  ${what} ${detail}`);
  }

  function require(holds: boolean, what: string): void {
    if (!holds) violation ??= `${what} (at ${(now() / 1000).toFixed(3)} s)`;
  }

  function placeOf(incarnation: unknown): Place | undefined {
    return places.find(({ node, rivals }) =>
      [node, ...rivals].some(({ membership }) => membership.incarnation === incarnation),
    );
  }

  function onTransition(event: { readonly type: string; readonly [field: string]: unknown }): void {
    const { type, member, incarnation, epoch, version } = event;
    note(type, `${member} ${incarnation} v${version}`);
    const key = `${epoch} ${version}`;
    require(!transitions.has(key), `M4: version ${version} of an epoch was given twice`);
    transitions.set(key, `${type} ${member} ${incarnation}`);
    if (["member-failed", "member-left", "member-replaced"].includes(type)) ended.add(String(incarnation));
    if (type === "member-joined") require(!ended.has(String(incarnation)), `M6: ${incarnation} came back`);
    const place = placeOf(incarnation);
    if (type !== "member-failed" || !place) return;
    require(now() - place.impairedUntilMs <
      wellAfterMs, `M1, M2, M5: ${member} was failed, well since ${(place.impairedUntilMs / 1000).toFixed(3)} s`);
    // A step of the store's clock, which counts as at most one watched interval, may be held against a silent node.
    const isSteady = now() - storeSteppedMs > 2 * failAfterMs;
    const process = [place.node, ...place.rivals].find(
      ({ membership }) => membership.incarnation === incarnation,
    );
    const silentMs = process?.membership.unacknowledgedMs() ?? Number.POSITIVE_INFINITY;
    require(!isSteady ||
      place.downUntilMs !== undefined ||
      silentMs >=
        cutOffAfterMs(
          settings,
        ), `M3: ${member} was failed and counts only ${silentMs} ms without an acknowledgement`);
  }

  function onStep(): void {
    const last = tables.at(-1);
    if (!last || now() - last.atMs > 500) tables.push({ atMs: now(), table: space.table() });
    if (tables.length > 40) tables.shift();
  }

  function add(id: string, options: NodeOptions): TestNode {
    const node = cluster.node(id, options);
    node.link.latencyMs = latencyMs;
    follow(node, { transitions, require, note });
    node.start();
    return node;
  }

  scenario.clocks.forEach((clock, index) => {
    const options = { ...clock, address: `10.0.0.${index}:1` };
    const node = add(`node-${index}`, options);
    // A node that starts is not well before its first beat.
    places.push({
      node,
      rivals: [],
      options,
      impairedUntilMs: 0,

      asleepUntilMs: 0,
      downUntilMs: undefined,
    });
  });

  function restart(place: Place): void {
    place.node = add(place.node.id, place.options);
    place.downUntilMs = undefined;
    place.impairedUntilMs = now();
    note("restart", place.node.id);
  }

  async function inject(fault: Fault): Promise<void> {
    const place = places[fault.node];
    if (!place) return;
    if (place.downUntilMs !== undefined && !fault.kind.startsWith("store")) return;
    settleRivals(place);
    note(fault.kind, `${place.node.id} ${Math.round(fault.ms)} ms`);
    if (fault.kind === "store lost" || fault.kind === "store rewound") ended.clear();
    if (fault.kind === "store clock step") storeSteppedMs = now();
    actions[fault.kind]({ cluster, place, ms: fault.ms, add, tables });
  }

  const moments = [...scenario.faults];
  while (now() < scenario.endAtMs && violation === undefined) {
    const nextFaultMs = moments[0]?.atMs ?? scenario.endAtMs;
    const nextStartMs = Math.min(...places.map(({ downUntilMs }) => downUntilMs ?? scenario.endAtMs));
    const untilMs = Math.min(nextFaultMs, nextStartMs, scenario.endAtMs);
    await timeline.advanceTo(Math.max(untilMs, now()));
    for (const place of places) if ((place.downUntilMs ?? Infinity) <= now()) restart(place);
    while (moments[0] && moments[0].atMs <= now()) {
      const fault = moments.shift();
      if (fault) await inject(fault);
    }
  }
  for (const place of places) settleRivals(place);
  if (violation === undefined) checkEnd(cluster, places, require);
  for (const { node, rivals } of places) for (const each of [node, ...rivals]) await each.stop();
  return { violation, counts, history };
}

interface Checks {
  readonly transitions: ReadonlyMap<string, string>;
  require(holds: boolean, what: string): void;
  note(what: string, detail?: string): void;
}

/** Holds what a node is told to the sequence of the store (M4), and its incarnations to their ends (M6). */
function follow(node: TestNode, { transitions, require, note }: Checks): void {
  let epoch: string | undefined;
  let version = 0;
  let wasReplaced = false;
  const own = new Set<string>();
  node.membership.subscribe((event: MembershipEvent) => {
    if (event.type === "ended") {
      note(`ended: ${event.reason}`, `${node.id} ${event.incarnation}`);
      require(!own.has(event.incarnation), `M6: ${node.id} was told twice that ${event.incarnation} ended`);
      own.add(event.incarnation);
      wasReplaced ||= event.reason === "replaced";
    } else if (event.type === "cut-off" || event.type === "back") note(event.type, node.id);
    else {
      if (event.type === "reset") note("reset", node.id);
      else {
        require(event.epoch === epoch || epoch === undefined, `M4: ${node.id} was not told of a new epoch`);
        require(event.version === version + 1 || epoch === undefined, `M4: ${node.id} missed a version`);
        const made = transitions.get(`${event.epoch} ${event.version}`);
        const told = `member-${event.type} ${event.member} ${event.incarnation}`;
        require(made === told, `M4: ${node.id} was told "${told}" of "${made}"`);
      }
      ({ epoch, version } = event);
    }
    // Who was replaced ends; everybody else goes on as another.
    const goesOn = event.type !== "ended" && !wasReplaced;
    require(!goesOn || !own.has(node.membership.incarnation), `M6: ${node.id} uses an ended incarnation`);
  });
}

/** The process that stayed has the place. */
function settleRivals(place: Place): void {
  const running = [place.node, ...place.rivals].filter(({ outcome }) => outcome === "running");
  const [survivor] = running;
  if (running.length !== 1 || !survivor || survivor === place.node) return;
  place.rivals.splice(place.rivals.indexOf(survivor), 1, place.node);
  place.node = survivor;
}

/** Two minutes after the last fault every node sees every node, and nobody else as healthy. */
function checkEnd(cluster: TestCluster, places: readonly Place[], require: Checks["require"]): void {
  const expected = places.map(({ node }) => node.membership.incarnation).sort();
  for (const { node, rivals } of places) {
    const view = node.membership.view();
    const there = view?.members
      .filter(({ status }) => status !== "failed")
      .map(({ incarnation }) => incarnation);
    require(JSON.stringify(there?.sort()) ===
      JSON.stringify(expected), `${node.id} does not see who is there`);
    require(view?.version === cluster.space.table()?.version, `${node.id} has an old view`);
    require(node.membership.unacknowledgedMs() < 10_000, `${node.id} is not acknowledged`);
    require(rivals.every(({ outcome }) => outcome !== "running"), `two processes run as ${node.id}`);
    require(node.outcome === "running", `${node.id} does not run: ${String(node.outcome)}`);
  }
}

interface Target {
  readonly cluster: TestCluster;
  readonly place: Place;
  readonly ms: number;
  readonly add: (id: string, options: NodeOptions) => TestNode;
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

function impair(place: Place, untilMs: number): void {
  place.impairedUntilMs = Math.max(place.impairedUntilMs, untilMs);
}

const actions: Readonly<Record<FaultKind, Action>> = {
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
  "slow link"({ cluster: { timeline }, place, ms }) {
    const { node } = place;
    node.link.latencyMs = 1500;
    timeline.clock().after(ms, () => {
      node.link.latencyMs = latencyMs;
    });
  },
  "wall clock step": ({ place, ms }) => place.node.clock.stepWall(ms),
  drain: ({ place }) => void place.node.membership.drain().catch(() => {}),
  "store away"({ cluster: { timeline, store }, ms }) {
    store.state = ms % 2 < 1 ? "cut" : "refused";
    timeline.clock().after(ms, () => {
      store.state = "up";
    });
  },
  "store clock step": ({ cluster: { space }, ms }) => space.stepClock(ms),
  "store lost": ({ cluster: { space } }) => space.lose(),
  "store rewound"({ cluster: { space, timeline }, ms, tables }) {
    const earlier = tables.findLast(({ atMs }) => atMs <= timeline.nowMs - ms) ?? tables[0];
    space.rewind(earlier?.table);
  },
};
