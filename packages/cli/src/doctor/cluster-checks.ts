import type { NodeDiagnosis } from "@parallax/protocol";
import type { Evidence } from "./evidence.ts";
import { type Finding, findingsOf, listed } from "./finding.ts";

const haNodes = ({ nodes }: Evidence): NodeDiagnosis[] => nodes.filter(({ haEnabled }) => haEnabled);

/** Every node answers. */
export function nodesReachable({ nodes, silent }: Evidence): Finding[] {
  const report = findingsOf("nodes-reachable");
  if (silent.length === 0) return [report.ok(listed(nodes.map(({ nodeId }) => nodeId)))];
  return silent.map(({ name, error }) =>
    report(
      "warning",
      `${name} was not reached: ${error}`,
      "start it again if it has ended; else check its network, and that node.address is where the others reach it",
    ),
  );
}

/** Exactly one leader. */
export function oneLeader(evidence: Evidence): Finding[] {
  const report = findingsOf("leader");
  const nodes = haNodes(evidence);
  if (nodes.length === 0) return [report.ok("high availability is off: the node leads itself")];
  const leaders = nodes.filter(({ term, leaseRemainingMs }) => term !== undefined && leaseRemainingMs > 0);
  if (leaders.length === 1) return [report.ok(`${leaders[0]?.nodeId} leads, in term ${leaders[0]?.term}`)];
  if (leaders.length > 1)
    return [
      report(
        "error",
        `split brain: ${listed(leaders.map(({ nodeId, term }) => `${nodeId} (term ${term})`))} lead at once`,
        "check that all nodes use the same Redis and that it was not parted (see redis-same); then `parallax ha elect --force`",
      ),
    ];
  if (nodes.every(({ electable }) => !electable))
    return [
      report(
        "error",
        "nobody may lead: leaderElection.enabled is false on every node",
        "set it to true on at least two nodes",
      ),
    ];
  return [
    report(
      evidence.silent.length > 0 ? "warning" : "error",
      evidence.silent.length > 0
        ? "no node that was reached leads"
        : "no leader: nothing is recovered, rebalanced or cleaned up",
      "look at redis-reachable above; after a restart of Redis one lease has to pass; else `redis-cli GET parallax:ha:leader`, and `parallax ha elect`",
    ),
  ];
}

/** A node that is cut off knows the members as they were before: whose beat was heard last is believed. */
function newestLast(nodes: readonly NodeDiagnosis[]): NodeDiagnosis[] {
  const silentMs = ({ unacknowledgedMs = Number.MAX_SAFE_INTEGER }: NodeDiagnosis): number =>
    unacknowledgedMs;
  return nodes.toSorted((left, right) => silentMs(right) - silentMs(left));
}

/** Members healthy, at least three, in several zones. */
export function members(evidence: Evidence): Finding[] {
  const report = findingsOf("members");
  const nodes = haNodes(evidence);
  if (nodes.length === 0) return [];
  const known = new Map(newestLast(nodes).flatMap((node) => node.members.map((each) => [each.id, each])));
  // What a node says of itself is newer than what others last saw.
  for (const { nodeId, address, zone, state } of nodes)
    known.set(nodeId, {
      id: nodeId,
      address,
      zone,
      status: state === "draining" ? "draining" : (known.get(nodeId)?.status ?? "healthy"),
    });
  const all = [...known.values()];
  const findings = [
    ...all
      .filter(({ status }) => status === "unhealthy")
      .map(({ id, address }) =>
        report(
          "error",
          `${id} at ${address} is unhealthy: it has not beaten for a while`,
          "restart it, or look at its network; what it had is taken over",
        ),
      ),
    ...all
      .filter(({ status }) => status === "draining")
      .map(({ id }) =>
        report("note", `${id} drains`, "wait until it has stopped, then start it again or replace it"),
      ),
  ];
  const healthy = all.filter(({ status }) => status === "healthy");
  if (healthy.length < 3)
    findings.push(
      report(
        "warning",
        `${healthy.length} healthy member${healthy.length === 1 ? "" : "s"}`,
        "run three and more, for capacity and in several zones, so that one can be lost while another is replaced; they form no quorum: the only one is that of Redis",
      ),
    );
  const zones = new Set(healthy.map(({ zone }) => zone));
  if (zones.size < 2)
    findings.push(
      zones.has(undefined)
        ? report(
            "note",
            "no member says in which zone it is",
            "set node.zone (PARALLAX_NODE_ZONE), and spread the nodes over several",
          )
        : report(
            "warning",
            `all members are in zone ${[...zones].join("")}`,
            "spread them over several zones",
          ),
    );
  return findings.length > 0 ? findings : [report.ok(`${healthy.length} healthy, in ${zones.size} zones`)];
}

/** Candidates: what happens when the leader is lost. */
export function candidates(evidence: Evidence): Finding[] {
  const report = findingsOf("candidates");
  const nodes = haNodes(evidence);
  const able = nodes.filter(({ electable, state }) => electable && state !== "draining");
  if (nodes.length < 2 || able.length !== 1) return [];
  return [
    report(
      "warning",
      `only ${able[0]?.nodeId} may lead`,
      "set leaderElection.enabled to true on another node: nobody takes over from it",
    ),
  ];
}

/** What the nodes themselves say that is not well. */
export function nodesWell({ nodes }: Evidence): Finding[] {
  const report = findingsOf("nodes-well");
  // Redis and members have checks of their own.
  const said = nodes.flatMap(({ nodeId, unwell }) =>
    Object.entries(unwell)
      .filter(([name]) => name !== "redis" && name !== "membership")
      .map(([name, output]) => ({ nodeId, name, output })),
  );
  const late = nodes.filter(({ unacknowledgedMs = 0, haEnabled }) => haEnabled && unacknowledgedMs > 15_000);
  const findings = [
    ...said.map(({ nodeId, name, output }) => {
      const [what = output, remedy = "look at its log"] = output.split("; ");
      return report("warning", `${nodeId}: ${name}: ${what}`, remedy);
    }),
    ...late.map(({ nodeId, unacknowledgedMs = 0 }) =>
      report(
        "warning",
        `${nodeId}: its beats have not been acknowledged for ${Math.round(unacknowledgedMs / 1000)} s`,
        "it is cut off from Redis: check the network between them",
      ),
    ),
  ];
  return findings.length > 0 ? findings : [report.ok("the nodes say that they are well")];
}
