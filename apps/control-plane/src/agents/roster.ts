/** An agent that is connected to this node, as far as dispatch cares. */
export interface RosterEntry {
  readonly agentId: string;
  readonly capabilities: ReadonlySet<string>;
  /** How many tasks it takes at once. */
  readonly slots: number;
  /** Tasks that it holds or that a slot is kept for, by task id. */
  readonly held: ReadonlySet<string>;
}

interface Entry extends RosterEntry {
  kind: Kind;
  capabilities: ReadonlySet<string>;
  slots: number;
  readonly held: Set<string>;
  /** Free slots, as its kind has counted them. */
  free: number;
}

/** Agents with the same capabilities. Thousands of agents are of a few kinds: what is counted here need not be counted again. */
interface Kind {
  readonly key: string;
  readonly capabilities: ReadonlySet<string>;
  agents: number;
  free: number;
}

/**
 * The agents of this node and their free slots. For every set of capabilities that was ever asked for it keeps the free
 * agents that fit in the order in which they were last used, so that a pick takes constant time and work goes round.
 */
export interface Roster {
  /** Adds an agent, or changes what is known of it; what it holds stays. */
  put(agent: {
    readonly agentId: string;
    readonly capabilities: readonly string[];
    readonly slots: number;
    /** Tasks that it brings along: they take their slots before a free one is told of. */
    readonly holding?: readonly string[];
  }): void;
  remove(agentId: string): void;
  /** Removes all. */
  clear(): void;
  get(agentId: string): RosterEntry | undefined;
  all(): Iterable<RosterEntry>;
  readonly size: number;
  /** Takes a slot of the free agent that was used longest ago. Undefined when none is free. */
  take(taskId: string, capabilities: readonly string[], excluded: ReadonlySet<string>): string | undefined;
  /** Takes a slot of this very agent, beyond its limit if it must be: it holds the task already. */
  hold(agentId: string, taskId: string): void;
  /** Gives a slot back. */
  release(agentId: string, taskId: string): void;
  /** Free slots by set of capabilities, for the beat: of as many sets as a beat has room for (S7). */
  capacity(): Readonly<Record<string, number>>;
}

/** The names of capabilities that a beat carries, in characters: agents may all have names of their own. */
const longestReport = 65_536;

/** A set of capabilities as a map key. */
export function capabilityKey(capabilities: Iterable<string>): string {
  const [first = "", ...others] = capabilities;
  return others.length === 0 ? first : [first, ...others].sort().join("+");
}

/** Makes an empty roster. `onFree` is called whenever an agent has gained a free slot. */
export function createRoster(onFree: (agentId: string) => void): Roster {
  const entries = new Map<string, Entry>();
  const kinds = new Map<string, Kind>();
  /** By capability key: the free agents that fit, least recently used first. */
  const free = new Map<string, { readonly wanted: readonly string[]; readonly agents: Set<Entry> }>();

  const fits = ({ capabilities }: Pick<Entry, "capabilities">, wanted: readonly string[]): boolean =>
    wanted.every((name) => capabilities.has(name));
  const hasFree = (entry: Entry): boolean => entry.free > 0;

  function refile(entry: Entry): void {
    const isHere = entries.get(entry.agentId) === entry;
    const slots = isHere ? Math.max(0, entry.slots - entry.held.size) : 0;
    entry.kind.free += slots - entry.free;
    entry.free = slots;
    for (const { wanted, agents } of free.values()) {
      agents.delete(entry);
      if (hasFree(entry) && fits(entry, wanted)) agents.add(entry);
    }
  }

  function joinKind(capabilities: readonly string[]): Kind {
    const key = capabilityKey(capabilities);
    const kind = kinds.get(key) ?? { key, capabilities: new Set(capabilities), agents: 0, free: 0 };
    kind.agents += 1;
    kinds.set(key, kind);
    return kind;
  }

  function leaveKind({ kind, free: slots }: Pick<Entry, "kind" | "free">): void {
    kind.agents -= 1;
    kind.free -= slots;
    if (kind.agents === 0) kinds.delete(kind.key);
  }

  function freeFor(wanted: readonly string[]): Set<Entry> {
    const key = capabilityKey(wanted);
    let line = free.get(key);
    if (!line) {
      line = {
        wanted: [...wanted],
        agents: new Set([...entries.values()].filter((entry) => hasFree(entry) && fits(entry, wanted))),
      };
      free.set(key, line);
    }
    return line.agents;
  }

  return {
    put({ agentId, capabilities, slots, holding = [] }) {
      const before = entries.get(agentId);
      const kind = joinKind(capabilities);
      if (before) leaveKind(before);
      const { capabilities: shared } = kind;
      const entry: Entry = before ?? { agentId, kind, capabilities: shared, slots, held: new Set(), free: 0 };
      entry.kind = kind;
      entry.capabilities = shared;
      entry.slots = slots;
      entry.free = 0;
      for (const taskId of holding) entry.held.add(taskId);
      entries.set(agentId, entry);
      refile(entry);
      if (hasFree(entry)) onFree(agentId);
    },
    remove(agentId) {
      const entry = entries.get(agentId);
      if (!entry) return;
      entries.delete(agentId);
      refile(entry);
      leaveKind(entry);
    },
    clear() {
      entries.clear();
      kinds.clear();
      free.clear();
    },
    get: (agentId) => entries.get(agentId),
    all: () => entries.values(),
    get size() {
      return entries.size;
    },
    take(taskId, capabilities, excluded) {
      for (const entry of freeFor(capabilities)) {
        if (excluded.has(entry.agentId)) continue;
        entry.held.add(taskId);
        refile(entry);
        return entry.agentId;
      }
      return undefined;
    },
    hold(agentId, taskId) {
      const entry = entries.get(agentId);
      if (!entry) return;
      entry.held.add(taskId);
      refile(entry);
    },
    release(agentId, taskId) {
      const entry = entries.get(agentId);
      if (!entry?.held.delete(taskId)) return;
      refile(entry);
      if (hasFree(entry)) onFree(agentId);
    },
    capacity() {
      const capacity: Record<string, number> = {};
      let length = 0;
      for (const [key, kind] of kinds) {
        length += key.length;
        if (length > longestReport) break;
        capacity[key] = kind.free;
      }
      return capacity;
    },
  };
}
