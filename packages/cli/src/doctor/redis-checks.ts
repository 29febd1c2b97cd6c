import type { NodeDiagnosis, RedisDiagnosis } from "@parallax/protocol";
import type { Evidence } from "./evidence.ts";
import { type Finding, findingsOf, listed } from "./finding.ts";

/** Clocks that differ by more than this are worth a word, in milliseconds. */
const clockLimitMs = 1000;
/** Round trips longer than this cost leadership sooner or later, in milliseconds. */
const slowMs = 500;

type WithRedis = NodeDiagnosis & { readonly redis: RedisDiagnosis };

function withRedis({ nodes }: Evidence): WithRedis[] {
  return nodes.flatMap((node) => (node.redis ? [{ ...node, redis: node.redis }] : []));
}

/** Redis reachable, by every connection of every node. */
export function redisReachable(evidence: Evidence): Finding[] {
  const report = findingsOf("redis-reachable");
  const nodes = withRedis(evidence);
  if (nodes.length === 0)
    return [
      report(
        "note",
        "state is kept in memory, and gone when the nodes stop",
        "configure redis for a cluster that lasts",
      ),
    ];
  const findings = nodes.flatMap(({ nodeId, redis }) => {
    const down = redis.connections.filter(({ state }) => state !== "ready").map(({ role }) => role);
    if (down.length > 0)
      return [
        report(
          "error",
          `${nodeId} has no connection to Redis at ${redis.address} for ${listed(down)}`,
          "check that Redis runs (`redis-cli PING`), and the network between them",
        ),
      ];
    if (redis.error === undefined) return [];
    return [
      report(
        "error",
        `${nodeId} gets no answer from Redis at ${redis.address}: ${redis.error}`,
        "check that Redis is not hung or overloaded (`redis-cli --latency`), and the network",
      ),
    ];
  });
  return findings.length > 0
    ? findings
    : [report.ok(`reached by ${listed(nodes.map(({ nodeId }) => nodeId))}`)];
}

/** Redis quick enough for leases and beats. */
export function redisQuick(evidence: Evidence): Finding[] {
  const report = findingsOf("redis-latency");
  // What was measured before a connection broke says nothing of now.
  const measured = withRedis(evidence).filter(
    ({ redis }) => redis.error === undefined && redis.connections.every(({ state }) => state === "ready"),
  );
  if (measured.length === 0) return [];
  const slow = measured.flatMap(({ nodeId, redis }) => {
    const worst = Math.max(0, ...redis.connections.map(({ roundTripMs = 0 }) => roundTripMs));
    return worst > slowMs ? [`${nodeId} (${Math.round(worst)} ms)`] : [];
  });
  if (slow.length === 0) return [report.ok("round trips are short")];
  return [
    report(
      "warning",
      `Redis answers slowly: ${listed(slow)}`,
      "look for slow commands (`redis-cli SLOWLOG GET`), a full CPU or swapping there, and at the network",
    ),
  ];
}

/** All nodes on the same Redis: of two, each grants a leader. */
export function oneRedis(evidence: Evidence): Finding[] {
  const report = findingsOf("redis-same");
  const groups = new Map<string, string[]>();
  for (const { nodeId, redis } of withRedis(evidence)) {
    if (redis.servers.length === 0) continue;
    // On Cluster every node sees all primaries.
    const identity = redis.servers
      .map(({ runId }) => runId)
      .sort()
      .join(" ");
    groups.set(identity, [...(groups.get(identity) ?? []), `${nodeId} (${redis.address})`]);
  }
  if (groups.size < 2) return groups.size === 0 ? [] : [report.ok("all nodes use the same Redis")];
  return [
    report(
      "error",
      `nodes of one cluster use different Redis: ${[...groups.values()].map(listed).join(" against ")}`,
      "give all nodes the same redis.url, sentinel or cluster, and restart those that are wrong; what they did meanwhile is on the other Redis",
    ),
  ];
}

/** Version, role, eviction, memory, persistence, replicas: what the nodes found when they looked. */
export function redisServers(evidence: Evidence): Finding[] {
  const report = findingsOf("redis-servers");
  const seen = new Map<string, Finding>();
  const versions = new Set<string>();
  for (const { redis } of withRedis(evidence)) {
    for (const { version } of redis.servers) versions.add(version);
    for (const { severity, message } of redis.findings) {
      const [what = message, remedy = "see docs/operations/redis-failover.md"] = message
        .replace(/^checking Redis: /, "")
        .split("; ");
      seen.set(message, report(severity, what, remedy));
    }
  }
  if (versions.size === 0) return [];
  return seen.size > 0
    ? [...seen.values()]
    : [report.ok(`version ${listed([...versions])}, well configured`)];
}

/** The clocks of the nodes and of Redis. No decision rests on comparing them, but people and logs do. */
export function clocks(evidence: Evidence): Finding[] {
  const report = findingsOf("clocks");
  const offsets = withRedis(evidence).flatMap(({ nodeId, redis: { clockOffsetMs } }) =>
    clockOffsetMs === undefined ? [] : [{ nodeId, clockOffsetMs }],
  );
  if (offsets.length === 0) return [];
  const off = offsets.filter(({ clockOffsetMs }) => Math.abs(clockOffsetMs) > clockLimitMs);
  if (off.length === 0) return [report.ok("the nodes and Redis agree within a second")];
  const described = off.map(
    ({ nodeId, clockOffsetMs }) => `${nodeId} (${clockOffsetMs > 0 ? "+" : ""}${clockOffsetMs} ms)`,
  );
  return [
    report(
      "warning",
      `clocks differ from that of Redis: ${listed(described)}`,
      "run chrony or another NTP client on these machines and on those of Redis",
    ),
  ];
}
