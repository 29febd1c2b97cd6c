import { ParallaxError } from "@parallax/core";
import type { Hono } from "hono";
import { createHighAvailability, type HighAvailability } from "../high-availability.ts";
import { type AppEnvironment, createApp } from "../http/app.ts";
import type { Authenticator } from "../http/auth.ts";
import { version } from "../version.ts";
import type { NodeParts } from "./assemble.ts";

/** What an operator may ask of this node's cluster. */
export function operationsOf(node: NodeParts): HighAvailability {
  const { config, nodeId, election, membership, clock, bus, drain } = node;
  const { clusterId, enabled, leaderElection } = config.highAvailability;
  return createHighAvailability({
    nodeId,
    clusterId,
    enabled,
    election,
    membership,
    clock,
    leaseDurationMs: leaderElection.leaseDurationMs,
    drainTimeoutMs: config.server.drainTimeout,
    send: (target, message) => bus.send(target, message),
    drainSelf: () => void drain.run(),
  });
}

/** The HTTP API of a node. */
export function createRoutes(
  node: NodeParts,
  ha: HighAvailability,
  authenticator: Authenticator,
): Hono<AppEnvironment> {
  const { config, backends, collections, work, health, metrics, bus, clock, logger, drain, traffic } = node;
  const { clusterMetrics } = node;
  return createApp({
    authenticator,
    ha,
    patterns: work.patterns,
    catalog: work.catalog,
    executions: collections.executions,
    agents: collections.agents,
    redisKeyOf: (id) => (backends.redis ? collections.executions.keyOf(id) : undefined),
    heldBy: (agentId) => [...(work.roster.get(agentId)?.held ?? [])],
    bus,
    clock,
    logger,
    version,
    draining: drain.signal,
    admit: () => admit(node),
    maxBodyBytes: config.server.maxBody,
    health: (request) => health.handle(request),
    metrics: (accept) => metrics.expose(accept),
    clusterMetrics: (request) => clusterMetrics.expose(request),
    onAnswered(request) {
      if (request.route.startsWith("/api")) traffic.lastMs = clock.now();
      metrics.observeHttp(request);
    },
  });
}

/** Whether a new execution is taken now. @throws ParallaxError `not_ready`, `store_full` */
async function admit({ health, store, backends, drain }: NodeParts): Promise<void> {
  const { redis } = backends;
  if (health.snapshot().state === "starting") {
    throw new ParallaxError(
      "not_ready",
      "submitting an execution: this node is still starting; try again in a moment",
    );
  }
  if (redis && redis.data.state !== "ready") {
    throw new ParallaxError(
      "not_ready",
      "submitting an execution: this node has no connection to Redis; try again in a moment",
    );
  }
  if (!drain.signal.aborted && !(await store.admits())) {
    const message =
      "submitting an execution: the store is nearly full; free memory, shorten executions.retention, or raise maxmemory";
    throw new ParallaxError("store_full", message);
  }
}
