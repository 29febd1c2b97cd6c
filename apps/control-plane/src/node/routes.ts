import type { Hono } from "hono";
import { createHighAvailability, type HighAvailability } from "../high-availability.ts";
import { type AppEnvironment, createApp } from "../http/app.ts";
import type { Authenticator } from "../http/auth.ts";
import { createClusterDiagnosis } from "../observe/cluster-diagnosis.ts";
import { diagnose } from "../observe/diagnosis.ts";
import { logRequest } from "../observe/log-requests.ts";
import { version } from "../version.ts";
import { lineLimit } from "../work.ts";
import { createAdmission } from "./admission.ts";
import type { NodeParts } from "./assemble.ts";

/** What an operator may ask of this node's cluster. */
export function operationsOf(node: NodeParts): HighAvailability {
  const { config, nodeId, election, membership, clock, bus, drain, logger } = node;
  const { clusterId, enabled, leaderElection } = config.highAvailability;
  return createHighAvailability({
    nodeId,
    clusterId,
    enabled,
    election,
    membership,
    clock,
    logger,
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
  const { store, clusterMetrics } = node;
  return createApp({
    authenticator,
    ha,
    patterns: work.patterns,
    catalog: work.catalog,
    tracing: node.tracing,
    executions: collections.executions,
    progress: work.progress,
    agents: collections.agents,
    redisKeyOf: (id) => (backends.redis ? collections.executions.keyOf(id) : undefined),
    heldBy: (agentId) => [...(work.roster.get(agentId)?.held ?? [])],
    bus,
    clock,
    logger,
    version,
    draining: drain.signal,
    ...createAdmission({
      clock,
      health,
      store,
      isConnected: () => backends.redis === undefined || backends.redis.data.state === "ready",
      draining: drain.signal,
      open: () => work.ownership.open,
      maxOpen: config.executions.maxOpen,
      isLineFull: () => work.dispatcher.waiting >= lineLimit,
    }),
    maxBodyBytes: config.server.maxBody,
    health: (request) => health.handle(request),
    metrics: (accept) => metrics.expose(accept),
    clusterMetrics: (request) => clusterMetrics.expose(request),
    diagnose: createClusterDiagnosis({ ...node, diagnose: () => diagnose(node, version) }),
    onAnswered(request) {
      if (request.route.startsWith("/api")) traffic.lastMs = clock.now();
      metrics.observeHttp(request);
      logRequest(logger, request);
    },
  });
}
