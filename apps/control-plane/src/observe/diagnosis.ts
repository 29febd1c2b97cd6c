import { type Clock, errorMessage, withDeadline } from "@parallax/core";
import type { NodeDiagnosis, RedisDiagnosis } from "@parallax/protocol";
import { addressOfRedis } from "../config/places.ts";
import { sharedSettings } from "../config/settings.ts";
import type { NodeParts } from "../node/assemble.ts";

/** How long Redis may take to be looked at, in milliseconds: a diagnosis is asked for when it may hang. */
const redisTimeoutMs = 2000;

/** What this node knows about itself. Answers within seconds, whatever state Redis is in. */
export async function diagnose(node: NodeParts, version: string): Promise<NodeDiagnosis> {
  const { config, nodeId, address, clock, election, membership, bus, health, metrics, drain } = node;
  const { clusterId, enabled, leaderElection } = config.highAvailability;
  const stats = election.stats();
  const { syncLatencyMs, gaps, live } = bus.stats();
  const latencyMs = syncLatencyMs.quantile(0.99);
  const silentMs = membership.unacknowledgedMs();
  const term = election.term()?.token;
  const { state, checks } = health.snapshot();
  const redis = await diagnoseRedis(node);
  return {
    nodeId,
    incarnation: membership.incarnation,
    clusterId,
    version,
    address,
    ...(config.node.zone === undefined ? {} : { zone: config.node.zone }),
    observedAt: new Date(clock.wall()).toISOString(),
    uptimeMs: Math.round(process.uptime() * 1000),
    haEnabled: enabled,
    state: drain.signal.aborted ? "draining" : state,
    unwell: Object.fromEntries(
      Object.entries(checks).flatMap(([name, { status, output = status }]) =>
        status === "pass" ? [] : [[name, output]],
      ),
    ),
    electable: leaderElection.enabled,
    ...(term === undefined ? {} : { term }),
    leaseRemainingMs: Math.max(0, Math.round(stats.leaseRemainingMs)),
    renewFailures: stats.renewFailures,
    members: (membership.view()?.members ?? []).map(({ id, address: at, status, zone }) => ({
      id,
      address: at,
      status: status === "failed" ? "unhealthy" : status === "suspect" ? "healthy" : status,
      ...(zone === undefined ? {} : { zone }),
    })),
    ...(Number.isFinite(silentMs) ? { unacknowledgedMs: Math.round(silentMs) } : {}),
    ...(redis ? { redis } : {}),
    subscriptionsLive: live,
    ...(Number.isFinite(latencyMs) ? { syncLatencyP99Ms: Math.round(latencyMs * 10) / 10 } : {}),
    gaps,
    staleWritesRejected: metrics.staleWrites(),
    drainTimeoutMs: config.server.drainTimeout,
    ...(config.server.terminationGrace === undefined
      ? {}
      : { terminationGraceMs: config.server.terminationGrace }),
    settings: sharedSettings(config),
  };
}

async function diagnoseRedis({ backends, config, clock }: NodeParts): Promise<RedisDiagnosis | undefined> {
  const { redis } = backends;
  if (!redis) return undefined;
  const roles = [redis.lease, redis.data, redis.subscriber];
  const base = {
    mode: redis.mode,
    address: addressOfRedis(config),
    connections: roles.map(({ role, state, roundTripMs }) => ({
      role,
      state,
      ...(roundTripMs === undefined ? {} : { roundTripMs: Math.round(roundTripMs * 10) / 10 }),
    })),
  };
  const bound = { clock, timeoutMs: redisTimeoutMs, what: "looking at Redis" };
  try {
    const [found, clockOffsetMs] = await withDeadline(
      Promise.all([backends.inspect(), clockOffset(redis.data, clock)]),
      bound,
    );
    const servers = (found?.servers ?? []).map((server) => ({
      version: server.version,
      runId: server.runId,
      role: server.role,
      replicas: server.replicas.filter(({ isOnline }) => isOnline).length,
      maxmemoryPolicy: server.maxmemoryPolicy,
      appendOnly: server.isAppendOnly,
    }));
    return { ...base, servers, findings: found?.findings ?? [], clockOffsetMs };
  } catch (error) {
    return { ...base, servers: [], findings: [], error: errorMessage(error) };
  }
}

/** This node's clock less that of Redis: read in the middle of the round trip, so off by at most half of it. For people only (T2). */
async function clockOffset(
  data: { command(name: string, args: readonly string[]): Promise<unknown> },
  clock: Clock,
): Promise<number> {
  const beforeMs = clock.wall();
  const reply = await data.command("TIME", []);
  const halfwayMs = (beforeMs + clock.wall()) / 2;
  const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
  return Math.round(halfwayMs - (seconds ?? Number.NaN) * 1000 - (microseconds ?? 0) / 1000);
}
