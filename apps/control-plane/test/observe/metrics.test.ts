import { describeBackend, eventually, freePort, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { passedOnHeader } from "../../src/observe/cluster-metrics.ts";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { call } from "../support/requests.ts";

/** The value of one sample, by its name and labels as they are written. */
function sampleOf(text: string, sample: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? Number.NaN);
}

describeBackend("redis-standalone", "the metrics of running nodes", () => {
  let redis: RedisFixture;
  let nodes: LocalNodes;

  beforeAll(async () => {
    redis = await startRedis();
    nodes = await startNodes(0, { "highAvailability.enabled": true, "redis.url": redis.url });
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    for (const [index, port] of ports.entries()) {
      const address = { "server.port": port, "node.address": `127.0.0.1:${port}` };
      await nodes.start(`node-${index}`, address);
    }
    await nodes.client(0).patterns.put(workPattern("echo"));
    await nodes.agent({ at: 1, handler: async ({ input }) => ({ result: input, confidence: 1 }) });
    await nodes.client(0).executions.run({ pattern: "echo", input: 1 });
  });
  afterAll(async () => {
    await nodes.stop();
    await redis.stop();
  });

  const metrics = async (index: number, path = "/metrics"): Promise<string> =>
    (await call(`${nodes.node(index).url}${path}`)).text;

  it("come in the format that is asked for", async () => {
    const open = await call(`${nodes.node(0).url}/metrics`, {
      headers: { Accept: "application/openmetrics-text; version=1.0.0" },
    });
    expect(open.headers.get("Content-Type")).toMatch(/^application\/openmetrics-text/);
    expect(open.text.endsWith("# EOF\n")).toBe(true);
    const plain = await call(`${nodes.node(0).url}/metrics`);
    expect(plain.headers.get("Content-Type")).toMatch(/^text\/plain/);
  });

  it("show exactly one leader over all nodes, and as many elections on each", async () => {
    await eventually(async () => {
      const texts = await Promise.all([0, 1, 2].map((index) => metrics(index)));
      const leaders = texts.map((text, index) =>
        sampleOf(text, `parallax_ha_is_leader{node="node-${index}"}`),
      );
      const elections = texts.map((text) => sampleOf(text, "parallax_ha_elections_total"));
      return leaders.reduce((sum, each) => sum + each, 0) === 1 && new Set(elections).size === 1;
    });
  });

  it("show the work: requests, sockets, executions, tasks, store and duties", async () => {
    const [owner, holder] = [await metrics(0), await metrics(1)];
    const path = 'method="POST",route="/api/executions",status="200"';
    expect(sampleOf(owner, `parallax_http_request_duration_seconds_count{${path}}`)).toBeGreaterThan(0);
    expect(sampleOf(owner, 'parallax_execution_duration_seconds_count{status="completed"}')).toBe(1);
    expect(sampleOf(owner, 'parallax_store_changes_total{outcome="ok"}')).toBeGreaterThan(0);
    const store = 'parallax_store_operation_duration_seconds_count{operation="mutate",outcome="ok"}';
    expect(sampleOf(owner, store)).toBeGreaterThan(0);
    expect(sampleOf(holder, 'parallax_task_duration_seconds_count{outcome="completed"}')).toBe(1);
    expect(sampleOf(holder, "parallax_agents_connected")).toBe(1);
    expect(sampleOf(holder, "parallax_agent_slots")).toBe(1);
    expect(sampleOf(holder, "parallax_agent_connections_total")).toBe(1);
    expect(sampleOf(holder, "parallax_agent_frames_received_total")).toBeGreaterThan(1);
    expect(sampleOf(owner, "parallax_event_loop_busy_seconds_total")).toBeGreaterThan(0);
    expect(sampleOf(owner, 'parallax_redis_up{role="data"}')).toBe(1);
    const request = 'parallax_redis_request_duration_seconds_count{role="data",outcome="ok"}';
    expect(sampleOf(owner, request)).toBeGreaterThan(0);
    const duties = (await Promise.all([0, 1, 2].map((index) => metrics(index)))).join("\n");
    expect(duties).toMatch(/parallax_duty_duration_seconds_count\{duty="recovery",ok="true"\} \d+/);
  });

  describe("as one cluster's", () => {
    it("are put together by any node that is asked, and count each node once", async () => {
      for (const index of [0, 1, 2]) {
        const text = await metrics(index, "/metrics/cluster");
        expect(sampleOf(text, 'parallax_cluster_nodes{state="readable"}')).toBe(3);
        expect(sampleOf(text, 'parallax_cluster_nodes{state="unreadable"}')).toBe(0);
        expect(sampleOf(text, "parallax_cluster_leaders")).toBe(1);
        expect(sampleOf(text, "parallax_cluster_members")).toBe(3);
        expect(sampleOf(text, "parallax_cluster_healthy_members")).toBe(3);
        expect(sampleOf(text, "parallax_cluster_agents_connected")).toBe(1);
        expect(sampleOf(text, 'parallax_cluster_execution_duration_seconds_count{status="completed"}')).toBe(
          1,
        );
        const names = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
        for (const name of names) expect(name).toMatch(/^parallax_cluster_/);
      }
    });

    it("are put together by the leader, whoever is asked", async () => {
      const { members } = await nodes.client(0).haStatus();
      const leader = members.findIndex(({ role }) => role === "leader");
      const standby = leader === 0 ? 1 : 0;
      const count = async (index: number, path: string): Promise<number> =>
        sampleOf(
          await metrics(index),
          `parallax_http_request_duration_seconds_count{method="GET",route="${path}",status="200"}`,
        ) || 0;
      const before = await count(leader, "/metrics/cluster");
      await metrics(standby, "/metrics/cluster");
      expect(await count(leader, "/metrics/cluster")).toBe(before + 1);
    });

    it("are not passed on twice", async () => {
      const url = `${nodes.node(0).url}/metrics/cluster`;
      const { text } = await call(url, { headers: { [passedOnHeader]: "node-9" } });
      expect(sampleOf(text, "parallax_cluster_leaders")).toBe(1);
    });

    it("name how many nodes could not be read", async () => {
      const lost = await nodes.start("node-9", { "node.address": "127.0.0.1:1" });
      await eventually(async () => {
        const text = await metrics(0, "/metrics/cluster");
        return sampleOf(text, 'parallax_cluster_nodes{state="unreadable"}') === 1;
      });
      await lost.stop();
    });
  });
});
