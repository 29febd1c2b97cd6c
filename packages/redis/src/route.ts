import type { Cluster, Redis } from "ioredis";
import { createRedirects } from "./redirects.ts";
import type { Client } from "./request.ts";
import { clearingSocketTimer } from "./socket-timer.ts";

/** Which server a command goes to. */
export interface Route {
  /** The server of a slot, or any that takes writes; undefined while there is none to send to. */
  nodeOf(slot: number | undefined): Redis | undefined;
  /** The server at an address that a redirection named, as `MOVED 42 10.0.0.1:6379` does; connecting, if it is new. */
  nodeAt(address: string): Redis | undefined;
  /** A server said that another one has the slot. */
  moved(slot: number, address: string): void;
  /** What is known about slots has proved wrong. */
  refresh(): void;
}

/** The route of a client. */
export function createRoute(client: Client): Route {
  return "nodes" in client ? createClusterRoute(client) : createSingleRoute(client);
}

function createSingleRoute(client: Redis): Route {
  return { nodeOf: () => client, nodeAt: () => undefined, moved: () => {}, refresh: () => {} };
}

/**
 * On Cluster ioredis finds out who has which slot, and keeps a connection to each node. Sending is ours: when a connection
 * breaks it would send again what may have run, and on the way to a node that serves no slot yet it leaves rejections
 * unhandled.
 */
function createClusterRoute(cluster: Cluster): Route {
  const redirects = createRedirects();
  /** Nodes that redirections named, and that no list of slots has yet. */
  const newcomers = new Map<string, Redis>();
  const listed = (slot: number): string | undefined => cluster.slots[slot]?.[0];
  cluster.on("refresh", () => redirects.listed(listed));
  cluster.on("close", () => {
    for (const node of newcomers.values()) node.disconnect();
  });

  const known = (address: string): Redis | undefined =>
    cluster.nodes("all").find((node) => addressOf(node) === address) ?? newcomers.get(address);

  function connect(address: string): Redis | undefined {
    const [model] = cluster.nodes("all");
    if (!model) return undefined;
    const colon = address.lastIndexOf(":");
    const [host, port] = [address.slice(0, colon), Number(address.slice(colon + 1))];
    const options = { host, port, readOnly: false, lazyConnect: false };
    const node = clearingSocketTimer(model.duplicate(options));
    node.on("error", () => {});
    node.once("end", () => newcomers.delete(address));
    newcomers.set(address, node);
    return node;
  }

  const nodeAt = (address: string): Redis | undefined => {
    const mapped = mappedAddress(cluster, address);
    return known(mapped) ?? connect(mapped);
  };

  return {
    nodeOf(slot) {
      if (slot === undefined) return cluster.nodes("master").find(({ status }) => status === "ready");
      const moved = redirects.of(slot);
      const there = moved === undefined ? undefined : nodeAt(moved);
      if (there?.status === "ready") return there;
      const address = listed(slot);
      const owner = address === undefined ? undefined : known(address);
      // Whoever was named may have died since, and the list may know who has taken over.
      return owner?.status === "ready" ? owner : there;
    },
    nodeAt,
    moved: (slot, address) => redirects.moved(slot, mappedAddress(cluster, address)),
    refresh: () => cluster.refreshSlotsCache(),
  };
}

/** As `host:port`. */
export function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

/** The address at which we reach a node that the servers know by another one. */
function mappedAddress({ options: { natMap } }: Cluster, address: string): string {
  const mapped = typeof natMap === "function" ? natMap(address) : natMap?.[address];
  return mapped ? `${mapped.host}:${mapped.port}` : address;
}
