import type { NodeDiagnosis, RedisDiagnosis } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import type { Evidence } from "../../src/doctor/evidence.ts";
import { examine } from "../../src/doctor/examine.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { parallax, serve } from "../harness.ts";

const server = {
  version: "7.0.15",
  runId: "run-a",
  role: "primary",
  replicas: 1,
  maxmemoryPolicy: "noeviction",
  appendOnly: true,
};

function redisOf(changes: Partial<RedisDiagnosis> = {}): RedisDiagnosis {
  const connections = ["lease", "data", "subscriber"].map((role) => ({
    role,
    state: "ready",
    roundTripMs: 1,
  }));
  const base = {
    mode: "standalone",
    address: "redis:6379",
    servers: [server],
    findings: [],
    clockOffsetMs: 3,
  };
  return { ...base, connections, ...changes };
}

function nodeOf(index: number, changes: Partial<NodeDiagnosis> = {}): NodeDiagnosis {
  return {
    nodeId: `node-${index}`,
    incarnation: `inc-${index}`,
    clusterId: "production",
    version: "1.0.0",
    address: `node-${index}:8080`,
    zone: `zone-${index}`,
    observedAt: "2024-01-15T10:30:00.000Z",
    uptimeMs: 60_000,
    haEnabled: true,
    state: "ready",
    unwell: {},
    electable: true,
    ...(index === 0 ? { term: 7, leaseRemainingMs: 9000 } : { leaseRemainingMs: 0 }),
    renewFailures: 0,
    members: [0, 1, 2].map((each) => ({
      id: `node-${each}`,
      address: `node-${each}:8080`,
      status: "healthy",
      zone: `zone-${each}`,
    })),
    unacknowledgedMs: 1000,
    redis: redisOf(),
    subscriptionsLive: true,
    syncLatencyP99Ms: 4,
    gaps: { trimmed: 0 },
    staleWritesRejected: 0,
    drainTimeoutMs: 30_000,
    terminationGraceMs: 45_000,
    settings: { "redis.keyPrefix": "parallax:" },
    ...changes,
  };
}

function evidence(...changes: readonly Partial<NodeDiagnosis>[]): Evidence {
  return { nodes: [0, 1, 2].map((index) => nodeOf(index, changes[index])), silent: [] };
}

/** What is not well, and every remedy is one. */
function found(given: Evidence): Finding[] {
  const findings = examine(given).filter(({ severity }) => severity !== "ok");
  for (const { remedy } of findings) expect(remedy).toMatch(/\w/);
  return findings;
}

/** What two nodes see that a third is cut off from. */
const withoutOne = [{ id: "node-1", address: "node-1:8080", status: "unhealthy" as const }];

const trouble = (check: string, severity: string, message: string) =>
  expect.objectContaining({ check, severity, message: expect.stringContaining(message) });

describe("the doctor", () => {
  it("finds nothing wrong with three nodes in three zones on one good Redis", () => {
    const findings = examine(evidence());
    expect(findings.filter(({ severity }) => severity !== "ok")).toEqual([]);
    expect(new Set(findings.map(({ check }) => check)).size).toBeGreaterThan(12);
  });

  it("says nothing of the round trips of connections that are down", () => {
    const lost = { redis: redisOf({ connections: [{ role: "data", state: "down", roundTripMs: 1 }] }) };
    const checks = examine(evidence(lost, lost, lost)).map(({ check }) => check);
    expect(checks).toContain("redis-reachable");
    expect(checks).not.toContain("redis-latency");
  });

  const down = redisOf({
    connections: [{ role: "data", state: "down" }],
    servers: [],
    error: "no connection",
  });
  const old = {
    severity: "error",
    code: "redis_too_old",
    message: "checking Redis: version 5 is too old; upgrade",
  } as const;
  const cases: readonly (readonly [string, Evidence, unknown])[] = [
    [
      "a node that is not reached",
      { ...evidence(), silent: [{ name: "node-9 at node-9:8080", error: "ECONNREFUSED" }] },
      trouble("nodes-reachable", "warning", "node-9 at node-9:8080 was not reached: ECONNREFUSED"),
    ],
    [
      "a Redis that can't be reached",
      evidence({}, { redis: down }),
      trouble("redis-reachable", "error", "node-1 has no connection to Redis at redis:6379 for data"),
    ],
    [
      "a Redis that hangs",
      evidence({ redis: redisOf({ error: "looking at Redis took longer than 2000 ms" }) }),
      trouble("redis-reachable", "error", "node-0 gets no answer from Redis"),
    ],
    [
      "a slow Redis",
      evidence({ redis: redisOf({ connections: [{ role: "lease", state: "ready", roundTripMs: 812 }] }) }),
      trouble("redis-latency", "warning", "node-0 (812 ms)"),
    ],
    [
      "nodes on two Redis",
      evidence(
        {},
        {},
        { redis: redisOf({ address: "other:6379", servers: [{ ...server, runId: "run-b" }] }) },
      ),
      trouble(
        "redis-same",
        "error",
        "node-0 (redis:6379) and node-1 (redis:6379) against node-2 (other:6379)",
      ),
    ],
    [
      "a Redis that is too old",
      evidence({ redis: redisOf({ findings: [old] }) }),
      { check: "redis-servers", severity: "error", message: "version 5 is too old", remedy: "upgrade" },
    ],
    [
      "a clock that is off",
      evidence({}, { redis: redisOf({ clockOffsetMs: -4200 }) }),
      trouble("clocks", "warning", "node-1 (-4200 ms)"),
    ],
    [
      "no leader",
      evidence({ term: undefined, leaseRemainingMs: 0 }),
      trouble("leader", "error", "no leader"),
    ],
    [
      "two leaders",
      evidence({}, {}, { term: 9, leaseRemainingMs: 5000 }),
      trouble("leader", "error", "split brain: node-0 (term 7) and node-2 (term 9) lead at once"),
    ],
    [
      "that nobody may lead",
      evidence(...[0, 1, 2].map(() => ({ electable: false, term: undefined, leaseRemainingMs: 0 }))),
      trouble("leader", "error", "nobody may lead"),
    ],
    [
      "that only one may lead",
      evidence({}, { electable: false }, { electable: false }),
      trouble("candidates", "warning", "only node-0 may lead"),
    ],
    [
      "an unhealthy member",
      evidence({
        members: [{ id: "node-3", address: "node-3:8080", status: "unhealthy" }],
      }),
      trouble("members", "error", "node-3 at node-3:8080 is unhealthy"),
    ],
    [
      "an unhealthy member that is cut off itself, and does not know",
      evidence({ members: withoutOne }, { unacknowledgedMs: 40_000 }, { members: withoutOne }),
      trouble("members", "error", "node-1 at node-1:8080 is unhealthy"),
    ],
    ["a node that drains", evidence({}, { state: "draining" }), trouble("members", "note", "node-1 drains")],
    [
      "all members in one zone",
      evidence(...[0, 1, 2].map(() => ({ zone: "a", members: [] }))),
      trouble("members", "warning", "all members are in zone a"),
    ],
    [
      "an overloaded event loop",
      evidence({ unwell: { "event-loop": "the event loop is overloaded; take load off this process" } }),
      trouble("nodes-well", "warning", "node-0: event-loop: the event loop is overloaded"),
    ],
    [
      "beats that are not acknowledged",
      evidence({}, { unacknowledgedMs: 21_000 }),
      trouble("nodes-well", "warning", "node-1: its beats have not been acknowledged for 21 s"),
    ],
    [
      "a dead subscription",
      evidence({}, { subscriptionsLive: false }),
      trouble("subscriptions", "warning", "node-1 may not hear of changes"),
    ],
    [
      "state sync lag",
      evidence({ syncLatencyP99Ms: 1500 }),
      trouble("sync", "warning", "state sync lag: one in a hundred changes of node-0 takes 1.5s"),
    ],
    ["lost events", evidence({ gaps: { trimmed: 2 } }), trouble("sync", "note", "(trimmed: 2)")],
    ["stale writes", evidence({}, { staleWritesRejected: 3 }), trouble("stale-writes", "note", "node-1 (3)")],
    [
      "configuration that differs",
      evidence({}, { settings: { "redis.keyPrefix": "other:" } }),
      trouble("configuration", "warning", "redis.keyPrefix differs: parallax: on node-0, other: on node-1"),
    ],
    [
      "several versions",
      evidence({}, { version: "1.1.0" }),
      trouble("configuration", "note", "1.0.0 on node-0 and node-2 and 1.1.0 on node-1"),
    ],
    [
      "a drain that the platform cuts off",
      evidence({ terminationGraceMs: 30_000 }),
      trouble("drain-time", "warning", "node-0 is killed after 30s, but may drain for 30s"),
    ],
    [
      "a platform that has not said how long it waits",
      evidence({ terminationGraceMs: undefined }),
      trouble("drain-time", "note", "node-0 can't tell"),
    ],
  ];

  it.each(cases)("names %s, with a remedy", (_, given, expected) => {
    expect(found(given)).toContainEqual(expected);
  });

  it("wants three healthy members", () => {
    const two = evidence()
      .nodes.slice(0, 2)
      .map((node) => ({ ...node, members: node.members.slice(0, 2) }));
    expect(found({ nodes: two, silent: [] })).toContainEqual(
      trouble("members", "warning", "2 healthy members"),
    );
  });

  it("has little to say of one node in memory", () => {
    const alone = nodeOf(0, { haEnabled: false, redis: undefined, members: [], term: undefined });
    expect(found({ nodes: [alone], silent: [] }).map(({ check }) => check)).toEqual(["redis-reachable"]);
  });
});

describe("parallax doctor", () => {
  const answer = (...nodes: readonly NodeDiagnosis[]) => ({
    "/ha/diagnosis": {
      nodes: nodes.map((diagnosis) => ({ nodeId: diagnosis.nodeId, address: diagnosis.address, diagnosis })),
    },
  });

  it("ends with 0 where nothing is wrong, and says what it looked at", async () => {
    await using server0 = await serve(answer(nodeOf(0), nodeOf(1), nodeOf(2)));
    const ran = await parallax(["doctor", "--url", server0.url]);
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.out).toMatch(/^ok +leader +node-0 leads, in term 7$/m);
    expect(ran.out).toMatch(/\nNothing is wrong$/);
  });

  it("asks every address, and finds the leaders of parted nodes", async () => {
    await using one = await serve(answer(nodeOf(0)));
    await using other = await serve(answer(nodeOf(1, { term: 8, leaseRemainingMs: 100 })));
    const ran = await parallax(["doctor", "--json", "--url", `${one.url},${other.url}`]);
    expect(ran.code).toBe(1);
    const report: { ok: boolean; findings: readonly Finding[] } = JSON.parse(ran.out);
    expect(report.ok).toBe(false);
    expect(report.findings).toContainEqual(trouble("leader", "error", "split brain"));
    expect(ran.err).toContain("leader");
  });

  it("goes on without an address that does not answer, and names it", async () => {
    await using one = await serve(answer(nodeOf(0), nodeOf(1), nodeOf(2)));
    const ran = await parallax(["doctor", "--url", `${one.url},http://127.0.0.1:1`]);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain("WARNING  nodes-reachable  http://127.0.0.1:1 was not reached");
    const strict = await parallax(["doctor", "--strict", "--url", `${one.url},http://127.0.0.1:1`]);
    expect(strict.code).toBe(1);
  });

  it("ends with 3 where nobody answers", async () => {
    expect((await parallax(["doctor", "--url", "http://127.0.0.1:1"])).code).toBe(3);
  });
});
