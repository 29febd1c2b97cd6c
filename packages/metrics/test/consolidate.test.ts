import { describe, expect, it } from "vitest";
import { consolidate, createMetrics, type NodeExposition } from "../src/index.ts";
import { parse } from "../src/parse.ts";
import { busStats, electionStats, viewOf } from "./support.ts";

async function nodeBody(nodeId: string, isLeader: boolean, latencyMs: number): Promise<NodeExposition> {
  const metrics = createMetrics({
    nodeId,
    election: {
      stats: () =>
        electionStats({ isLeader, termsGranted: isLeader ? 5 : 4, leaseRemainingMs: isLeader ? 900 : 0 }),
    },
    membership: { view: () => viewOf("healthy", "healthy", isLeader ? "failed" : "healthy") },
    bus: { stats: () => busStats({ syncLatencyMs: { count: 2, sumMs: 10, quantile: () => latencyMs } }) },
    redis: {
      lease: { state: "ready", roundTripMs: latencyMs },
      data: { state: isLeader ? "down" : "ready", roundTripMs: 1 },
      subscriber: { state: "ready", roundTripMs: 1 },
    },
  });
  metrics.gauge({ name: "parallax_agents_connected", help: "Agents.", read: () => 10 });
  metrics.observeHttp({ route: "/x", method: "GET", status: 200, seconds: 0.002 });
  const { body } = await metrics.expose();
  metrics.close();
  return { nodeId, body };
}

describe("the figures of a cluster", () => {
  it("add amounts, take the worst of durations, and show the contract's figures once", async () => {
    const { body } = await consolidate([await nodeBody("a", true, 3), await nodeBody("b", false, 8)]);
    for (const line of [
      'parallax_cluster_nodes{state="readable"} 2',
      "parallax_cluster_leaders 1",
      "parallax_cluster_members 3",
      "parallax_cluster_healthy_members 2",
      "parallax_cluster_elections_total 5",
      "parallax_cluster_lease_remaining_seconds 0.9",
      'parallax_cluster_sync_latency_seconds{quantile="0.99"} 0.008',
      "parallax_cluster_sync_latency_seconds_count 4",
      "parallax_cluster_sync_latency_seconds_sum 0.02",
      "# HELP parallax_cluster_agents_connected Agents. Here: the sum of all nodes.",
      "parallax_cluster_agents_connected 20",
      'parallax_cluster_event_gaps_total{reason="trimmed"} 4',
      'parallax_cluster_http_request_duration_seconds_bucket{le="0.0025",method="GET",route="/x",status="200"} 2',
      'parallax_cluster_redis_round_trip_seconds{role="lease"} 0.008',
      'parallax_cluster_redis_up{role="data"} 0',
      'parallax_cluster_redis_up{role="lease"} 1',
    ]) {
      expect(body.split("\n")).toContain(line);
    }
  });

  it("have names of their own only, so that no sum counts twice, also when they are read again", async () => {
    const nodes = [await nodeBody("a", true, 3), await nodeBody("b", false, 8)];
    const { body } = await consolidate(nodes);
    for (const { name } of await parse(body)) expect(name).toMatch(/^parallax_cluster_/);
    expect(body).toContain("parallax_cluster_process_resident_memory_bytes ");
    expect(body).not.toContain("nodejs");
    expect(
      (await consolidate([{ nodeId: "c", body }])).body
        .split("\n")
        .filter((line) => line && !line.startsWith("#")),
    ).toEqual(['parallax_cluster_nodes{state="readable"} 1', 'parallax_cluster_nodes{state="unreadable"} 0']);
  });

  it("count what could not be read, and are not hidden by it", async () => {
    const { body } = await consolidate([
      await nodeBody("a", true, 3),
      { nodeId: "b", body: "<html>502</html>" },
    ]);
    expect(body).toContain('parallax_cluster_nodes{state="unreadable"} 1\n');
    expect(body).toContain("parallax_cluster_leaders 1\n");
  });

  it("ignore the latency of a node that has none", async () => {
    const { body } = await consolidate([
      await nodeBody("a", true, Number.NaN),
      await nodeBody("b", false, 8),
    ]);
    expect(body).toContain('parallax_cluster_sync_latency_seconds{quantile="0.99"} 0.008\n');
  });

  it("come in the format that is asked for", async () => {
    const { body, contentType } = await consolidate(
      [await nodeBody("a", true, 3)],
      "application/openmetrics-text",
    );
    expect(contentType).toContain("openmetrics");
    expect(body).toContain("# TYPE parallax_cluster_elections counter\nparallax_cluster_elections_total 5\n");
  });
});
