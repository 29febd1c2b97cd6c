import { cutOffAfterMs } from "../../src/create-membership.ts";
import type { MembershipEvent } from "../../src/index.ts";
import { membershipPresets } from "../../src/index.ts";
import type { Table } from "../../src/table.ts";
import { createCluster, type NodeOptions, type TestCluster, type TestNode } from "../support/cluster.ts";
import { actions, latencyMs, type Place } from "./faults.ts";
import type { Fault, Scenario } from "./scenario.ts";

/** How a run went. `violation` says which invariant did not hold, and when. */
export interface SimulationResult {
  readonly violation: string | undefined;
  /** How often each fault and transition happened. */
  readonly counts: ReadonlyMap<string, number>;
  readonly history: readonly string[];
}

const settings = membershipPresets.default;
/** So that failed members are removed within the minutes that a run has. */
const removeAfterMs = 60_000;
const failAfterMs = settings.checkIntervalMs * settings.unhealthyThreshold;
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
  const signatures = new Map<string, string>();
  const spared = new Set<string>();
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
    signatures.set(
      `${epoch} ${space.table()?.version}`,
      signatureOf([...(space.table()?.rows.values() ?? [])]),
    );
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
    if (last && now() - last.atMs <= 500) return;
    const table = space.table();
    tables.push({ atMs: now(), table });
    if (tables.length > 40) tables.shift();
    for (const row of table?.rows.values() ?? []) {
      if (row.spared && !spared.has(row.incarnation)) note("spared", row.id);
      if (row.spared) spared.add(row.incarnation);
      else spared.delete(row.incarnation);
    }
  }

  function add(id: string, options: NodeOptions): TestNode {
    const node = cluster.node(id, options);
    node.link.latencyMs = latencyMs;
    follow(node, { transitions, signatures, require, note });
    node.start();
    return node;
  }

  scenario.clocks.forEach((clock, index) => {
    const options = { ...clock, address: `10.0.0.${index}:1`, removeAfterMs };
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
    if (fault.kind === "store clock step") storeSteppedMs = now();
    actions[fault.kind]({ cluster, place, places, ms: fault.ms, add, tables, forget: () => ended.clear() });
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
  /** What the members were in each version of each epoch. */
  readonly signatures: ReadonlyMap<string, string>;
  require(holds: boolean, what: string): void;
  note(what: string, detail?: string): void;
}

/** Holds what a node is told to the sequence of the store (M4), and its incarnations to their ends (M6). */
function follow(node: TestNode, { transitions, signatures, require, note }: Checks): void {
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
    const view = node.membership.view();
    const signature = view && signatures.get(`${view.epoch} ${view.version}`);
    require(!signature ||
      signature ===
        signatureOf(view.members), `M4: ${node.id} sees other members in a version than there were`);
    // Who was replaced ends; everybody else goes on as another.
    const goesOn = event.type !== "ended" && !wasReplaced;
    require(!goesOn || !own.has(node.membership.incarnation), `M6: ${node.id} uses an ended incarnation`);
  });
}

/** Who is there, as which incarnation, and how it does. */
function signatureOf(
  members: readonly { readonly id: string; readonly incarnation: string; readonly status: string }[],
): string {
  return members
    .map(({ id, incarnation, status }) => `${id} ${incarnation} ${status}`)
    .sort()
    .join(", ");
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
