import { type Logger, noopLogger, type Random, randomId, seededRandom } from "@parallax/core";
import { type MemoryEventLogSpace, memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { memoryMembershipSpace, memoryMembershipStore } from "@parallax/membership/memory";
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
import { behind, type Wire } from "./wire.ts";

const settings: Settings = {
  "highAvailability.leaderElection.leaseDuration": "3s",
  "highAvailability.memberHealth.checkInterval": "1s",
  "highAvailability.memberHealth.timeout": "600ms",
  "server.drainTimeout": "2s",
  "agents.reconnectGrace": "4s",
  "patterns.directory": "./no-such-directory",
};

const base = { capabilities: ["work"], retries: 1, timeout: "40s" } as const;
const patterns: readonly PatternDefinition[] = [
  { ...base, name: "one", agents: { min: 1, max: 1 }, aggregate: { strategy: "all" } },
  { ...base, name: "three", agents: { min: 3, max: 3 }, aggregate: { strategy: "all" } },
  { ...base, name: "quorum", agents: { min: 2, max: 3 }, aggregate: { strategy: "quorum", quorum: 2 } },
  { ...base, name: "first", agents: { min: 1, max: 2 }, aggregate: { strategy: "first" } },
];

/** The store that all nodes share, and what may happen to it. */
export interface SharedStore {
  readonly records: MemoryRecordSpace;
  readonly log: MemoryEventLogSpace;
  readonly wire: Wire;
  /** Notes how it is, for a roll-back. */
  remember(): void;
  /** A fail-over to a replica that stood where the store was `ms` ago. */
  rollBack(ms: number): void;
}

/** One place in the cluster, and the process that is there at present. */
export interface Place {
  readonly id: string;
  readonly wire: Wire | undefined;
  readonly node: NodeParts | undefined;
  readonly clock: NodeClock | undefined;
  /** Lets agents in, while a process is there that takes them. */
  readonly door: Door | undefined;
  start(): void;
  crash(): void;
  drain(): void;
}

export function createSharedStore(
  timeline: Timeline,
  random: Random,
): SharedStore & {
  backendsFor(clock: NodeClock, wire: Wire): Backends;
} {
  const clock = timeline.clock();
  const log = memoryEventLogSpace({ random });
  const onEvent = (event: { readonly type: string }): void => {
    log.append("cluster", 0, [{ tag: randomId("", random), json: JSON.stringify(event) }], clock.wall());
  };
  const lease = memoryLeaseSpace({ clock, random, onEvent });
  const membership = memoryMembershipSpace({ clock, random, onEvent });
  const records = memoryRecordSpace({ log, clock, memory: () => ({ usedBytes: 0, limitBytes: 1 }) });
  const wire: Wire = { state: "up", hears: () => true };
  let past: { readonly atMs: number; readonly restore: () => void }[] = [];
  return {
    records,
    log,
    wire,
    remember() {
      const [table, snapshot, events] = [membership.table(), records.snapshot(), log.snapshot()];
      const holder = lease.snapshot();
      const restore = (): void => {
        membership.rewind(table);
        records.restore(snapshot);
        log.restore(events);
        lease.failOver(holder);
      };
      past = [...past.filter(({ atMs }) => atMs > timeline.nowMs - 2000), { atMs: timeline.nowMs, restore }];
    },
    rollBack(ms) {
      (past.findLast(({ atMs }) => atMs <= timeline.nowMs - ms) ?? past[0])?.restore();
    },
    backendsFor: (nodeClock, nodeWire) => {
      const wires = [wire, nodeWire];
      const over = <Backend extends object>(backend: Backend): Backend => behind(backend, wires, nodeClock);
      return {
        ...memoryBackends({ lease, membership, log, records }),
        lease: over(memoryLeaseStore(lease)),
        membership: over(memoryMembershipStore(membership)),
        log: over(
          memoryTopicLog(log, {
            clock,
            link: (batch, handOn) => {
              if (nodeWire.state === "up" && wire.state === "up" && nodeWire.hears()) handOn(batch);
            },
          }),
        ),
        records: over(memoryRecordBackend(records)),
      };
    },
  };
}

export function createPlace(options: {
  readonly id: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly backendsFor: (clock: NodeClock, wire: Wire) => Backends;
  readonly messagesGetThrough: () => boolean;
  readonly logger?: Logger;
  /** Beats the settings of {@link settings}. */
  readonly settings?: Settings;
}): Place {
  const { id, timeline, random, backendsFor, messagesGetThrough, logger = noopLogger } = options;
  const config = configOf(id, options.settings);
  let clock: NodeClock | undefined;
  let wire: Wire | undefined;
  let node: NodeParts | undefined;
  let stop = new AbortController();

  async function run(on: NodeClock, over: Wire, signal: AbortSignal): Promise<void> {
    const seed = Math.floor(random.next() * 2 ** 31);
    const context = {
      config,
      nodeId: id,
      address: `${id}:8080`,
      clock: on,
      random: seededRandom(seed),
      logger,
    };
    const parts = await assemble({ ...context, backends: backendsFor(on, over) });
    if (over.state === "dead") return;
    node = parts;
    await live(parts, operationsOf(parts), signal, () => {
      for (const pattern of patterns) parts.work.patterns.put(pattern).catch(() => {});
    });
    if (node === parts) node = undefined;
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
    get door() {
      const parts = node;
      if (!parts || parts.drain.signal.aborted || parts.health.snapshot().state === "starting")
        return undefined;
      return (socket: AgentSocket) => {
        if (node !== parts) return false;
        parts.work.hub.accept(socket, "simulation");
        return true;
      };
    },
    start() {
      stop = new AbortController();
      clock = timeline.clock();
      wire = { state: "up", hears: messagesGetThrough };
      run(clock, wire, stop.signal).catch(() => {
        // Replaced, or without a store at its start: whoever runs nodes starts it again.
        node = undefined;
        place.crash();
        timeline.clock().after(1000, () => place.start());
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

function configOf(id: string, own: Settings = {}): Config {
  return loadConfig({ environment: {}, flags: settingsOf({ ...settings, ...own, "node.id": id }) }).config;
}
