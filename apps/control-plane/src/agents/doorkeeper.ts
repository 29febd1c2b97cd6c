import type { EventEmitter } from "node:events";

/** How many connections of agents one node has at most. */
export interface ConnectionLimits {
  readonly total: number;
  /** From one address: a load balancer before the nodes is one. */
  readonly perAddress: number;
  readonly perToken: number;
}

/** Counts the connections of agents. */
export interface Doorkeeper {
  /** Counts a connection until its socket closes. Or says who has too many already, and counts nothing. */
  admit(address: string, caller: string, socket: Pick<EventEmitter, "once">): string | undefined;
}

export function createDoorkeeper({ total, perAddress, perToken }: ConnectionLimits): Doorkeeper {
  let all = 0;
  const byAddress = new Map<string, number>();
  const byToken = new Map<string, number>();

  function add(address: string, caller: string, change: 1 | -1): void {
    all += change;
    addTo(byAddress, address, change);
    addTo(byToken, caller, change);
  }

  return {
    admit(address, caller, socket) {
      if (all >= total) return "everybody together";
      if ((byAddress.get(address) ?? 0) >= perAddress) return "this address";
      if ((byToken.get(caller) ?? 0) >= perToken) return "this token";
      add(address, caller, 1);
      socket.once("close", () => add(address, caller, -1));
      return undefined;
    },
  };
}

function addTo(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
