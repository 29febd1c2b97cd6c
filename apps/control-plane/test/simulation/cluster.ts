import { type Clock, type Logger, noopLogger, type Random, randomId, seededRandom } from "@parallax/core";
import { type MemoryEventLogSpace, memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import {
  type MemoryMembershipSpace,
  memoryMembershipSpace,
  memoryMembershipStore,
} from "@parallax/membership/memory";
import type { PatternDefinition } from "@parallax/protocol";
import { type MemoryRecordSpace, memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import type { NodeClock, Timeline } from "@parallax/testing";
import type { AgentSocket } from "../../src/agents/connection.ts";
import { type Backends, memoryBackends } from "../../src/backends.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { assemble, type NodeParts } from "../../src/node/assemble.ts";
import { live } from "../../src/node/life.ts";
import { operationsOf } from "../../src/node/routes.ts";
import { type Settings, settingsOf } from "../support/local-nodes.ts";
import type { Door } from "./agents.ts";
import { functionsOf, moduleName, simulatedRunner } from "./functions.ts";
import { behind, type Host, type Network, reach, type Wire } from "./wire.ts";

const settings: Settings = {
  "highAvailability.leaderElection.leaseDuration": "3s",
  "highAvailability.memberHealth.checkInterval": "1s",
  "highAvailability.memberHealth.timeout": "600ms",
  "server.drainTimeout": "2s",
  "agents.reconnectGrace": "4s",
  "patterns.directory": "./no-such-directory",
};

const base = { capabilities: ["work"], retries: 1, timeout: "40s" } as const;

/** What the histories run. */
export const patterns: readonly PatternDefinition[] = [
  { ...base, name: "one", agents: { min: 1, max: 1 }, aggregate: { strategy: "all" } },
  { ...base, name: "three", agents: { min: 3, max: 3 }, aggregate: { strategy: "all" } },
  { ...base, name: "quorum", agents: { min: 2, max: 3 }, aggregate: { strategy: "quorum", quorum: 2 } },
  { ...base, name: "first", agents: { min: 1, max: 2 }, aggregate: { strategy: "first" } },
  {
    ...base,
    name: "merged",
    agents: { min: 2, max: 2 },
    aggregate: { strategy: "function", module: moduleName, timeout: "10s" },
  },
  { ...base, name: "hasty", timeout: "6s", agents: { min: 2, max: 2 }, aggregate: { strategy: "all" } },
  {
    ...base,
    name: "nobody",
    capabilities: ["nothing"],
    timeout: "5s",
    agents: { min: 1, max: 1 },
    aggregate: { strategy: "all" },
  },
];

/** The store that all nodes share, and what may happen to it. */
export interface SharedStore {
  readonly records: MemoryRecordSpace;
  readonly membership: MemoryMembershipSpace;
  readonly log: MemoryEventLogSpace;
  readonly wire: Wire;
  /** Notes how it is now: what is returned is a fail-over to a replica that stood there. */
  remember(): () => void;
  /** Everything is gone. */
  lose(): void;
  backendsFor(host: Omit<Host, "wires">, wire: Wire): Backends;
}

/** One place in the cluster, and the process that is there at present. */
export interface Place {
  readonly id: string;
  readonly wire: Wire | undefined;
  readonly node: NodeParts | undefined;
  readonly clock: NodeClock | undefined;
  /** Whether the process that is there was told to drain. */
  readonly isDraining: boolean;
  /** Lets agents in, while a process is there that takes them. */
  readonly door: Door | undefined;
  start(): void;
  crash(): void;
  drain(): void;
}

/** `onWrite` is called whenever records may have changed. */
export function createSharedStore(
  timeline: Timeline,
  random: Random,
  onWrite: () => void = () => {},
): SharedStore {
  const clock = timeline.clock();
  const log = memoryEventLogSpace({ random });
  const onEvent = (event: { readonly type: string }): void => {
    log.append("cluster", 0, [{ tag: randomId("", random), json: JSON.stringify(event) }], clock.wall());
  };
  const lease = memoryLeaseSpace({ clock, random, onEvent });
  const membership = memoryMembershipSpace({ clock, random, onEvent });
  const space = memoryRecordSpace({ log, clock, memory: () => ({ usedBytes: 0, limitBytes: 1 }) });
  const records: MemoryRecordSpace = {
    ...space,
    mutate(...args) {
      onWrite();
      return space.mutate(...args);
    },
  };
  const wire: Wire = { state: "up", slowMs: 0, late: "nothing" };
  return {
    records,
    membership,
    log,
    wire,
    remember() {
      const [table, snapshot, events] = [membership.table(), records.snapshot(), log.snapshot()];
      const holder = lease.snapshot();
      return () => {
        onWrite();
        membership.rewind(table);
        space.restore(snapshot);
        log.restore(events);
        lease.failOver(holder);
      };
    },
    lose() {
      onWrite();
      membership.lose();
      space.drop();
      log.drop();
      lease.restart({ keepData: false });
    },
    backendsFor: (process, nodeWire) => {
      const host: Host = { ...process, wires: [wire, nodeWire] };
      return {
        ...memoryBackends({ lease, membership, log, records }),
        lease: behind(memoryLeaseStore(lease), host),
        membership: behind(memoryMembershipStore(membership), host),
        log: behind(memoryTopicLog(log, { clock }), host),
        records: behind(memoryRecordBackend(records), host),
      };
    },
  };
}

export interface PlaceOptions {
  readonly id: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly store: Pick<SharedStore, "backendsFor">;
  readonly network: Network;
  readonly logger?: Logger;
  /** Beats the settings of {@link settings}. */
  readonly settings?: Settings;
  /** Whether it has the function that `merged` needs. Default true. */
  readonly hasFunction?: boolean;
  /** A process is there from now on. */
  readonly onNode?: (node: NodeParts) => void;
  /** It has left by itself. */
  readonly onLeft?: (node: NodeParts) => void;
}

export function createPlace(options: PlaceOptions): Place {
  const { id, timeline, random, store, network, logger = noopLogger, hasFunction = true } = options;
  const config = configOf(id, options.settings);
  const outside: Clock = network.clock;
  let clock: NodeClock | undefined;
  let wire: Wire | undefined;
  let node: NodeParts | undefined;
  let stop = new AbortController();

  async function run(on: NodeClock, over: Wire, signal: AbortSignal): Promise<void> {
    const own = seededRandom(Math.floor(random.next() * 2 ** 31));
    const parts = await assemble({
      config,
      nodeId: id,
      address: `${id}:8080`,
      clock: on,
      random: own,
      logger,
      backends: store.backendsFor({ clock: on, network }, over),
      functions: functionsOf(hasFunction),
      runner: simulatedRunner({ clock: on, random: own, longestMs: 3000, failing: 0.05 }),
    });
    if (over.state === "dead") return;
    node = parts;
    options.onNode?.(parts);
    await live(parts, operationsOf(parts), signal, () => void putPatterns(parts, hasFunction));
    if (node === parts) node = undefined;
    options.onLeft?.(parts);
    // The process ends with it.
    over.state = "dead";
    on.kill();
  }

  const place: Place = {
    id,
    get wire() {
      return wire;
    },
    get node() {
      return node;
    },
    get clock() {
      return clock;
    },
    get isDraining() {
      return stop.signal.aborted;
    },
    get door(): Door | undefined {
      const parts = node;
      const [on, over] = [clock, wire];
      if (!parts || !on || !over || parts.drain.signal.aborted) return undefined;
      if (parts.health.snapshot().state === "starting") return undefined;
      const host: Host = { clock: on, wires: [over], network };
      return {
        accept(socket: AgentSocket) {
          if (node !== parts) return false;
          reach(host, () => {
            if (socket.readyState === socket.OPEN) parts.work.hub.accept(socket, "simulation");
          });
          return true;
        },
        reach: (act) => reach(host, act),
      };
    },
    start() {
      stop = new AbortController();
      const over: Wire = { state: "up", slowMs: 0, late: "nothing" };
      const on = timeline.clock();
      [clock, wire] = [on, over];
      run(on, over, stop.signal).catch((error: unknown) => {
        logger.warn("the node has ended", { node: id, error });
        if (over.state === "dead") return;
        // Replaced, or without a store at its start: whoever runs nodes starts it again.
        node = undefined;
        place.crash();
        outside.after(1000, () => wire === over && place.start());
      });
    },
    crash() {
      if (wire) wire.state = "dead";
      const gone = node;
      node = undefined;
      clock?.kill();
      gone?.work.hub.terminate();
    },
    drain: () => stop.abort(),
  };
  return place;
}

/** Every node has them in its directory. */
export async function putPatterns(
  { work }: Pick<NodeParts, "work">,
  hasFunction: boolean,
  known: readonly PatternDefinition[] = patterns,
): Promise<void> {
  const usable = known.filter(({ aggregate }) => hasFunction || aggregate.strategy !== "function");
  await Promise.all(usable.map((pattern) => work.patterns.put(pattern).catch(() => {})));
}

const configs = new Map<string, Config>();

function configOf(id: string, own: Settings = {}): Config {
  const all = { ...settings, ...own, "node.id": id };
  const key = JSON.stringify(all);
  const config = configs.get(key) ?? loadConfig({ environment: {}, flags: settingsOf(all) }).config;
  configs.set(key, config);
  return config;
}
