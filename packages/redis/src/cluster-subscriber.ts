import { ParallaxError, type Random } from "@parallax/core";
import type { Cluster, ClusterOptions, Redis } from "ioredis";
import { type RoleSettings, roleOptions } from "./role-options.ts";
import { addressOf } from "./route.ts";
import { clearingSocketTimer } from "./socket-timer.ts";

/**
 * Makes the clients of a subscriber on Cluster, each of one node, whichever, for a Cluster passes what is published to all
 * of them. (The Cluster subscriptions of ioredis do not say when they were interrupted.) Each client is of another node than
 * the one before, so that a node which looks alive and passes nothing on is left.
 */
export function clusterSubscribers(
  settings: RoleSettings,
  createCluster: (options: ClusterOptions) => Cluster,
): () => Promise<Redis> {
  let last = "";
  return async () => {
    const probe = createCluster({ lazyConnect: true, clusterRetryStrategy: () => null });
    try {
      await connected(probe);
      const nodes = probe.nodes("all");
      const others = nodes.filter((node) => addressOf(node) !== last);
      const chosen = pick(others.length > 0 ? others : nodes, settings.random);
      last = addressOf(chosen);
      // When the node is lost the client ends, and the next one is of another node.
      return clearingSocketTimer(chosen.duplicate({ ...roleOptions(settings), retryStrategy: () => null }));
    } finally {
      probe.disconnect();
    }
  };
}

function connected(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    let lastError: unknown;
    const remember = (error: unknown): void => {
      lastError = error;
    };
    cluster.on("error", remember);
    cluster.on("node error", remember);
    cluster.once("ready", resolve);
    // `connect` alone would wait for ever on a Cluster that does not serve all of its slots.
    cluster.once("end", () => reject(noNode(lastError)));
    cluster.connect().catch(remember);
  });
}

function pick(nodes: readonly Redis[], random: Random): Redis {
  const node = nodes[Math.floor(random.next() * nodes.length)];
  if (node) return node;
  throw noNode(undefined);
}

function noNode(cause: unknown): ParallaxError<"redis_unavailable"> {
  const message = "subscribing on a Redis Cluster: none of its nodes can be asked; check that they run";
  return new ParallaxError("redis_unavailable", message, { cause });
}
