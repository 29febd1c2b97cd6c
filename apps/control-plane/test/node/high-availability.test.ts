import { connect } from "node:net";
import { drainResultSchema, type HaStatus, haStatusSchema, leaderChangeSchema } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LocalNodes, type Settings, startNodes, workPattern } from "../support/local-nodes.ts";
import { call, errorOf, exactly } from "../support/requests.ts";

let nodes: LocalNodes;
afterEach(() => nodes.stop());

const path = (index: number, rest: string): string => `${nodes.node(index).url}${rest}`;
const status = async (index = 0): Promise<HaStatus> =>
  exactly(haStatusSchema, (await call(path(index, "/ha/status"))).body);
const leaders = ({ members }: HaStatus): string[] =>
  members.flatMap(({ id, role }) => (role === "leader" ? [id] : []));
async function leader(index = 0): Promise<string> {
  return eventually(async () => {
    const found = leaders(await status(index));
    expect(found.length, "at no time do two lead").toBeLessThanOrEqual(1);
    return found[0];
  });
}
const indexOf = (id: string): number => Number(id.slice("node-".length));
const post = (index: number, rest: string, body: unknown = {}) => call(path(index, rest), { body });

describe("a cluster of three", () => {
  beforeEach(async () => {
    nodes = await startNodes(3);
  });

  it("has one leader, which all nodes see", async () => {
    const first = await leader(0);
    for (const index of [1, 2]) expect(await leader(index)).toBe(first);
  });

  it.each(["stepdown", "elect"])("POST /ha/%s changes the leader, from any node", async (route) => {
    const old = await leader();
    const from = (indexOf(old) + 1) % 3;
    const answer = await post(from, `/ha/${route}`);
    expect(answer.status).toBe(200);
    const change = exactly(leaderChangeSchema, answer.body);
    expect(change.oldLeader).toBe(old);
    expect(change.newLeader).not.toBe(old);
    expect(change.tookMs).toBeLessThan(1500);
    expect(await eventually(async () => (await leader()) === change.newLeader)).toBe(true);
  });

  it("POST /ha/elect with force deposes whoever leads, and terms rise", async () => {
    const old = await leader();
    const { members } = await status();
    const term = members.find(({ id }) => id === old)?.term ?? 0;
    const change = exactly(leaderChangeSchema, (await post(0, "/ha/elect", { force: true })).body);
    expect(change).toMatchObject({ oldLeader: old, newLeader: expect.stringMatching(/^node-\d$/) });
    expect(change.term).toBeGreaterThan(term);
  });

  it.each([
    ["stepdown", "{}"],
    ["elect", '{"force":true}'],
  ])("POST /ha/%s of one who has left already changes nothing", async (route, body) => {
    const old = await leader();
    const index = (indexOf(old) + 1) % 3;
    const url = new URL(nodes.node(index).url);
    const head = [
      `POST /ha/${route} HTTP/1.1`,
      `Host: ${url.host}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ];
    // Data and end come together, as they do to a process that was stopped.
    connect(Number(url.port), url.hostname).end(`${head.join("\r\n")}\r\n\r\n${body}`);
    const counted = new RegExp(`_count\\{method="POST",route="/ha/${route}",status="503"\\} 1`);
    await eventually(async () => counted.test(await (await fetch(path(index, "/metrics"))).text()));
    expect(await leader()).toBe(old);
  });

  it("POST /ha/drain drains the node that is named, from any node, and the others go on", async () => {
    await nodes.client(0).patterns.put(workPattern("one", { timeout: "20s" }));
    const first = await leader();
    const drained = indexOf(first);
    const from = (drained + 1) % 3;
    await nodes.agent({ at: from, handler: async ({ input }) => ({ result: input }) });
    const answer = await post(from, "/ha/drain", { node: first });
    expect(answer.status).toBe(202);
    expect(exactly(drainResultSchema, answer.body)).toEqual({ nodeId: first, drainTimeoutMs: 1000 });
    expect(await nodes.client(from).executions.run({ pattern: "one", input: 1 })).toMatchObject({
      result: 1,
    });
    await nodes.node(drained).ended;
    const after = await eventually(async () => {
      const seen = await status(from);
      return seen.members.length === 2 && leaders(seen).length === 1 && seen;
    });
    expect(leaders(after)).not.toContain(first);
  });

  it("POST /ha/drain without a name drains the node that answers", async () => {
    expect((await post(1, "/ha/drain")).body).toMatchObject({ nodeId: "node-1" });
    await nodes.node(1).ended;
    expect((await status(0)).members.map(({ id }) => id)).toEqual(["node-0", "node-2"]);
  });

  it("POST /ha/drain knows no node that is not there", async () => {
    expect(errorOf(await post(0, "/ha/drain", { node: "node-9" }), 404).code).toBe("member_not_found");
  });

  it("hands leadership over at once when the leader is told to stop", async () => {
    const old = await leader();
    const from = (indexOf(old) + 1) % 3;
    const startedMs = performance.now();
    const stopped = nodes.node(indexOf(old)).stop();
    await eventually(async () => leaders(await status(from)).some((id) => id !== old));
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await stopped;
  });

  it("serves what still comes in while a node drains: its executions go to others", async () => {
    await nodes.client(0).patterns.put(workPattern("one", { timeout: "20s" }));
    await nodes.agent({ at: 1, handler: async ({ input }) => ({ result: input }) });
    const stopped = nodes.node(0).stop();
    await eventually(async () => (await call(path(0, "/health/ready"))).status === 503);
    const answer = await post(0, "/api/executions?wait=5s", { pattern: "one", input: "late" });
    expect([200, 202]).toContain(answer.status);
    const { id, nodeId } = Object(answer.body);
    expect(nodeId).not.toBe("node-0");
    await eventually(async () => (await nodes.client(1).executions.get(id)).result === "late");
    await stopped;
  });
});

describe("a node that is alone", () => {
  const start = async (settings: Settings = {}): Promise<void> => {
    nodes = await startNodes(1, settings);
  };

  it("leads, and exports one leader and one member", async () => {
    await start();
    expect(await leader()).toBe("node-0");
    const { text } = await call(path(0, "/metrics"));
    expect(text).toMatch(/^parallax_ha_is_leader\{node="node-0"\} 1$/m);
    expect(text).toMatch(/^parallax_ha_cluster_members 1$/m);
    expect(text).toMatch(/^parallax_ha_healthy_members 1$/m);
  });

  it("does not step down, and changes nothing", async () => {
    await start();
    await leader();
    expect(errorOf(await post(0, "/ha/stepdown"), 409).code).toBe("no_standby");
    expect(leaders(await status())).toEqual(["node-0"]);
  });

  it("never leads where it may not (leaderElection.enabled: false)", async () => {
    await start({ "highAvailability.leaderElection.enabled": false });
    const heartbeat = async () => (await status()).members[0]?.lastHeartbeat;
    const first = await heartbeat();
    await eventually(async () => (await heartbeat()) !== first);
    expect(leaders(await status())).toEqual([]);
    expect(errorOf(await post(0, "/ha/stepdown"), 409).code).toBe("no_leader");
  });

  it("drains quickly, with work that nobody else can take", async () => {
    await start();
    await nodes.client(0).patterns.put(workPattern("one"));
    await nodes.client(0).executions.submit({ pattern: "one" });
    const startedMs = performance.now();
    await nodes.node(0).stop();
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });
});
