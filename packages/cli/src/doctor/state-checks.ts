import { formatDuration } from "@parallax/core";
import type { NodeDiagnosis } from "@parallax/protocol";
import type { Evidence } from "./evidence.ts";
import { type Finding, findingsOf, listed } from "./finding.ts";

/** The contract's bound of the sync latency, in milliseconds. */
const lagMs = 1000;
/** What a node needs after its drain to leave and to end, in milliseconds. */
const afterDrainMs = 5000;

/** Subscriptions alive. */
export function subscriptions({ nodes }: Evidence): Finding[] {
  const report = findingsOf("subscriptions");
  const dead = nodes.filter(({ subscriptionsLive }) => !subscriptionsLive).map(({ nodeId }) => nodeId);
  if (dead.length === 0) return [report.ok("every node hears the others")];
  return [
    report(
      "warning",
      `${listed(dead)} may not hear of changes`,
      "a dead subscription is renewed within a checkInterval; if it lasts, check Redis and the network",
    ),
  ];
}

/** Sync latency, and events that were lost. */
export function sync({ nodes }: Evidence): Finding[] {
  const report = findingsOf("sync");
  const slow = nodes.filter(({ syncLatencyP99Ms = 0 }) => syncLatencyP99Ms > lagMs);
  const lost = nodes.filter(({ gaps }) => total(gaps) > 0);
  const findings = [
    ...slow.map(({ nodeId, syncLatencyP99Ms = 0 }) =>
      report(
        "warning",
        `state sync lag: one in a hundred changes of ${nodeId} takes ${formatDuration(Math.round(syncLatencyP99Ms))} to be seen`,
        "scale Redis, check the network to it, or raise highAvailability.stateSync.batchSize",
      ),
    ),
    ...lost.map(({ nodeId, gaps }) =>
      report(
        "note",
        `${nodeId} missed events since its start (${Object.entries(gaps)
          .filter(([, count]) => count > 0)
          .map(([reason, count]) => `${reason}: ${count}`)
          .join(", ")})`,
        "it has read the state afresh; if it happens often, scale Redis or raise highAvailability.stateSync.batchSize",
      ),
    ),
  ];
  if (findings.length > 0) return findings;
  const worst = Math.max(0, ...nodes.map(({ syncLatencyP99Ms = 0 }) => syncLatencyP99Ms));
  return [report.ok(`changes are seen within ${formatDuration(Math.ceil(worst))}`)];
}

/** Stale writes that were refused: fencing at work, and a leader that had lost its lease without knowing. */
export function staleWrites({ nodes }: Evidence): Finding[] {
  const report = findingsOf("stale-writes");
  const rejected = nodes.filter((node) => node.staleWritesRejected > 0);
  if (rejected.length === 0) return [report.ok("none were made")];
  return [
    report(
      "note",
      `stale writes were refused: ${listed(rejected.map((node) => `${node.nodeId} (${node.staleWritesRejected})`))}`,
      "nothing was harmed; look for pauses of the process (garbage collection, throttled CPU, suspended machine) or of the network",
    ),
  ];
}

/** Configuration that differs between nodes of one cluster, and versions. */
export function configuration({ nodes }: Evidence): Finding[] {
  const report = findingsOf("configuration");
  const names = new Set(nodes.flatMap(({ settings }) => Object.keys(settings)));
  const differing = [...names].filter(
    (name) => new Set(nodes.map(({ settings }) => settings[name])).size > 1,
  );
  const findings = differing.map((name) => {
    const values = nodes.map(({ nodeId, settings }) => `${settings[name] ?? "not set"} on ${nodeId}`);
    return report(
      "warning",
      `${name} differs: ${listed(values)}`,
      "give all nodes the same configuration, and restart those that are wrong, one after the other",
    );
  });
  const versions = byValue(nodes, ({ version }) => version);
  if (versions.size > 1) {
    const described = [...versions].map(([version, ids]) => `${version} on ${listed(ids)}`);
    findings.push(report("note", `several versions: ${listed(described)}`, "finish the upgrade"));
  }
  return findings.length > 0 ? findings : [report.ok("the same on all nodes")];
}

/** The time of the drain against what the platform gives. */
export function drainTime({ nodes }: Evidence): Finding[] {
  const report = findingsOf("drain-time");
  const short = nodes.filter(
    ({ drainTimeoutMs, terminationGraceMs }) =>
      terminationGraceMs !== undefined && terminationGraceMs < drainTimeoutMs + afterDrainMs,
  );
  const untold = nodes.filter(({ terminationGraceMs }) => terminationGraceMs === undefined);
  const findings = short.map(({ nodeId, drainTimeoutMs, terminationGraceMs = 0 }) =>
    report(
      "warning",
      `${nodeId} is killed after ${formatDuration(terminationGraceMs)}, but may drain for ${formatDuration(drainTimeoutMs)}`,
      `raise terminationGracePeriodSeconds or stop_grace_period to ${formatDuration(drainTimeoutMs + 3 * afterDrainMs)}, or shorten server.drainTimeout`,
    ),
  );
  const [one] = untold;
  if (one)
    findings.push(
      report(
        "note",
        `${listed(untold.map(({ nodeId }) => nodeId))} can't tell how long the platform lets them drain (Kubernetes: 30s, Docker: 10s unless told)`,
        `give them ${formatDuration(one.drainTimeoutMs + 3 * afterDrainMs)}, and say so by server.terminationGrace (PARALLAX_TERMINATION_GRACE)`,
      ),
    );
  return findings.length > 0 ? findings : [report.ok("a drain fits into what the platform gives")];
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function byValue(
  nodes: readonly NodeDiagnosis[],
  textOf: (node: NodeDiagnosis) => string,
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const node of nodes) groups.set(textOf(node), [...(groups.get(textOf(node)) ?? []), node.nodeId]);
  return groups;
}
