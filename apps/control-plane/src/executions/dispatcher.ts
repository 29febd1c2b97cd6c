import type { Unsubscribe } from "@parallax/core";
import { capabilityKey, type Roster } from "../agents/roster.ts";

/** A task that waits for an agent of this node. */
export interface SlotRequest {
  readonly taskId: string;
  readonly capabilities: readonly string[];
  /** Agents that it must not be given to; asked anew each time. */
  excluded(): ReadonlySet<string>;
  /** A slot of this agent is taken for it. Called once, possibly before `request` returns. */
  onGranted(agentId: string): void;
}

/**
 * Gives the slots of this node's agents to waiting tasks, in the order in which they asked, whoever asked: tasks of this
 * node's executions and those that other nodes ask for stand in the same line. Nothing polls: a slot that becomes free
 * looks for the first task that it fits.
 */
export interface Dispatcher {
  /** Stands in line until a slot is granted or the request is withdrawn. A full line grants nothing: false. */
  request(request: SlotRequest): { readonly queued: boolean; readonly withdraw: Unsubscribe };
  /** An agent of this node has a free slot. */
  onFree(agentId: string): void;
  /** How many tasks wait. */
  readonly waiting: number;
}

/**
 * How many tasks from the head of a line are looked at each time. Those behind it that were found to exclude an agent are
 * passed over without asking again, save every so often, so that a very large execution keeps nobody from its turn.
 */
const lookahead = 64;
/** After so many looks of an agent all that it was excluded from is asked again. */
const forgetEvery = 64;

/** Makes a dispatcher over a roster. `limit` bounds the line (S7). */
export function createDispatcher(options: {
  readonly roster: () => Roster;
  readonly limit: number;
}): Dispatcher {
  const { roster, limit } = options;
  /** By capability key, in order of arrival. */
  const lines = new Map<string, Map<number, SlotRequest>>();
  /** Up to which arrival a line has only tasks that exclude this agent. */
  const passedBy = new Map<string, { looks: number; readonly upTo: Map<object, number> }>();
  let arrivals = 0;
  let waiting = 0;

  function leave(line: Map<number, SlotRequest>, arrival: number): void {
    if (line.delete(arrival)) waiting -= 1;
    if (waiting === 0) passedBy.clear();
  }

  /** The first task in any line that this agent may take, by arrival. */
  function firstFor(
    agentId: string,
  ): { line: Map<number, SlotRequest>; arrival: number; request: SlotRequest } | undefined {
    const agent = roster().get(agentId);
    if (!agent) {
      passedBy.delete(agentId);
      return undefined;
    }
    const passed = passedOf(agentId);
    let first: { line: Map<number, SlotRequest>; arrival: number; request: SlotRequest } | undefined;
    for (const line of lines.values()) {
      const knownUpTo = passed.get(line) ?? -1;
      let upTo = knownUpTo;
      let looked = 0;
      for (const [arrival, request] of line) {
        if (looked === 0 && !request.capabilities.every((name) => agent.capabilities.has(name))) break;
        looked += 1;
        if (first && first.arrival < arrival) break;
        if (looked > lookahead && arrival <= knownUpTo) continue;
        if (request.excluded().has(agentId)) {
          upTo = Math.max(upTo, arrival);
          continue;
        }
        first = { line, arrival, request };
        break;
      }
      passed.set(line, upTo);
    }
    return first;
  }

  function passedOf(agentId: string): Map<object, number> {
    const known = passedBy.get(agentId);
    if (known && known.looks < forgetEvery) {
      known.looks += 1;
      return known.upTo;
    }
    const fresh = { looks: 0, upTo: new Map<object, number>() };
    passedBy.set(agentId, fresh);
    return fresh.upTo;
  }

  return {
    request(request) {
      const agentId = roster().take(request.taskId, request.capabilities, request.excluded());
      if (agentId !== undefined) {
        request.onGranted(agentId);
        return { queued: true, withdraw: () => {} };
      }
      if (waiting >= limit) return { queued: false, withdraw: () => {} };
      const key = capabilityKey(request.capabilities);
      const line = lines.get(key) ?? new Map<number, SlotRequest>();
      lines.set(key, line);
      const arrival = arrivals;
      arrivals += 1;
      line.set(arrival, request);
      waiting += 1;
      return { queued: true, withdraw: () => leave(line, arrival) };
    },
    onFree(agentId) {
      for (;;) {
        const agent = roster().get(agentId);
        if (!agent || agent.held.size >= agent.slots) return;
        const found = firstFor(agentId);
        if (!found) return;
        leave(found.line, found.arrival);
        roster().hold(agentId, found.request.taskId);
        found.request.onGranted(agentId);
      }
    },
    get waiting() {
      return waiting;
    },
  };
}
