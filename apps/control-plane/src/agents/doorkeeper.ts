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
  const counts = new Map<string, number>();
  const countOf = (key: string): number => counts.get(key) ?? 0;

  function add(key: string, change: 1 | -1): void {
    const count = countOf(key) + change;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  }

  return {
    admit(address, caller, socket) {
      const keys = ["all", `address ${address}`, `token ${caller}`] as const;
      if (countOf(keys[0]) >= total) return "everybody together";
      if (countOf(keys[1]) >= perAddress) return "this address";
      if (countOf(keys[2]) >= perToken) return "this token";
      for (const key of keys) add(key, 1);
      socket.once("close", () => {
        for (const key of keys) add(key, -1);
      });
      return undefined;
    },
  };
}
