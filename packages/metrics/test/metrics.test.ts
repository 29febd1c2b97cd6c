import { describe, expect, it } from "vitest";
import { createMetrics, type MetricsOptions } from "../src/index.ts";
import { parse } from "../src/parse.ts";
import { busStats, electionStats, samples, viewOf } from "./support.ts";

const quiet = { nodeId: "cp-0", processFigures: false };

async function bodyOf(options: Partial<MetricsOptions>): Promise<string> {
  const metrics = createMetrics({ ...quiet, ...options });
  const { body } = await metrics.expose();
  metrics.close();
  return body;
}

describe("the contract's five", () => {
  it("have the names, labels and types that alerts rely on", async () => {
    const body = await bodyOf({
      election: { stats: () => electionStats({ isLeader: true, termsGranted: 7 }) },
      membership: { view: () => viewOf("healthy", "suspect", "failed", "draining") },
      bus: { stats: () => busStats() },
    });
    expect(samples(body, "parallax_ha_is_leader")).toEqual(['parallax_ha_is_leader{node="cp-0"} 1']);
    expect(samples(body, "parallax_ha_cluster_members")).toEqual(["parallax_ha_cluster_members 4"]);
    expect(samples(body, "parallax_ha_healthy_members")).toEqual(["parallax_ha_healthy_members 2"]);
    expect(samples(body, "parallax_ha_elections_total")).toEqual(["parallax_ha_elections_total 7"]);
    expect(samples(body, "parallax_ha_sync_latency_seconds")).toEqual([
      'parallax_ha_sync_latency_seconds{quantile="0.5"} 0.005',
      'parallax_ha_sync_latency_seconds{quantile="0.9"} 0.009',
      'parallax_ha_sync_latency_seconds{quantile="0.99"} 0.0099',
      "parallax_ha_sync_latency_seconds_sum 0.02",
      "parallax_ha_sync_latency_seconds_count 4",
    ]);
    for (const line of [
      "# TYPE parallax_ha_is_leader gauge",
      "# TYPE parallax_ha_cluster_members gauge",
      "# TYPE parallax_ha_healthy_members gauge",
      "# TYPE parallax_ha_elections_total counter",
      "# TYPE parallax_ha_sync_latency_seconds summary",
    ]) {
      expect(body.split("\n")).toContain(line);
    }
  });

  it("are worked out at each scrape, and never remembered", async () => {
    let isLeader = true;
    let termsGranted = 9;
    const metrics = createMetrics({
      ...quiet,
      election: { stats: () => electionStats({ isLeader, termsGranted }) },
    });
    expect((await metrics.expose()).body).toContain('parallax_ha_is_leader{node="cp-0"} 1');
    isLeader = false;
    // Also down, after the store was lost: a counter that is read is a reset like any other.
    termsGranted = 2;
    const { body } = await metrics.expose();
    expect(body).toContain('parallax_ha_is_leader{node="cp-0"} 0');
    expect(body).toContain("parallax_ha_elections_total 2\n");
    metrics.close();
  });

  it("show one leader and one member where high availability is off", async () => {
    const body = await bodyOf({ singleNode: true });
    expect(body).toContain('parallax_ha_is_leader{node="cp-0"} 1');
    expect(body).toContain("parallax_ha_cluster_members 1\n");
    expect(body).toContain("parallax_ha_healthy_members 1\n");
  });

  it("show nobody before the first view, and no number for a latency of nothing", async () => {
    const nothing = { count: 0, sumMs: 0, quantile: () => Number.NaN };
    const body = await bodyOf({
      membership: { view: () => undefined, unacknowledgedMs: () => Number.POSITIVE_INFINITY },
      bus: { stats: () => busStats({ syncLatencyMs: nothing }) },
    });
    expect(body).toContain("parallax_ha_cluster_members 0\n");
    expect(body).toContain('parallax_ha_sync_latency_seconds{quantile="0.99"} NaN');
    expect(samples(body, "parallax_ha_unacknowledged_seconds")).toEqual([]);
  });
});

describe("the other figures", () => {
  it("show gaps by reason, the lease, beats and connections", async () => {
    const connection = { state: "ready", roundTripMs: 1.5 };
    const body = await bodyOf({
      election: {
        stats: () => electionStats({ leaseRemainingMs: 9500, renewFailures: 3, lastHandoverMs: 2500 }),
      },
      membership: { view: () => viewOf("healthy"), unacknowledgedMs: () => 1200 },
      bus: { stats: () => busStats({ live: false }) },
      redis: { lease: connection, data: { state: "down", roundTripMs: undefined }, subscriber: connection },
    });
    for (const line of [
      'parallax_event_gaps_total{reason="trimmed"} 2',
      'parallax_event_gaps_total{reason="overflow"} 1',
      "parallax_event_subscriptions_up 0",
      "parallax_ha_lease_remaining_seconds 9.5",
      "parallax_ha_renew_failures_total 3",
      "parallax_ha_handover_seconds 2.5",
      "parallax_ha_unacknowledged_seconds 1.2",
      'parallax_redis_up{role="lease"} 1',
      'parallax_redis_up{role="data"} 0',
      'parallax_redis_round_trip_seconds{role="lease"} 0.0015',
    ]) {
      expect(body.split("\n")).toContain(line);
    }
    expect(samples(body, "parallax_redis_round_trip_seconds")).toHaveLength(2);
  });

  it("count and time what is reported", async () => {
    const metrics = createMetrics(quiet);
    metrics.observeHttp({ route: "/api/executions", method: "POST", status: 202, seconds: 0.004 });
    metrics.observeExecution({ status: "completed", seconds: 2 });
    metrics.observeTask({ outcome: "superseded", seconds: 1 });
    metrics.observeDuty({ duty: "recovery", seconds: 0.1, ok: false });
    metrics.countFenced();
    metrics.observeRedis({ role: "data", outcome: "timeout", seconds: 2 });
    metrics.observeStore({ operation: "mutate", outcome: "ok", seconds: 0.003 });
    metrics.countChange("conflict");
    metrics.countChange("fenced");
    metrics.countConnection();
    metrics.countFrame();
    metrics.countDisconnect(1012);
    const { body } = await metrics.expose();
    for (const line of [
      'parallax_http_request_duration_seconds_bucket{le="0.005",method="POST",route="/api/executions",status="202"} 1',
      'parallax_http_request_duration_seconds_bucket{le="+Inf",method="POST",route="/api/executions",status="202"} 1',
      'parallax_execution_duration_seconds_count{status="completed"} 1',
      'parallax_task_duration_seconds_sum{outcome="superseded"} 1',
      'parallax_duty_duration_seconds_count{duty="recovery",ok="false"} 1',
      'parallax_redis_request_duration_seconds_bucket{le="2.5",role="data",outcome="timeout"} 1',
      'parallax_store_operation_duration_seconds_count{operation="mutate",outcome="ok"} 1',
      'parallax_store_changes_total{outcome="conflict"} 1',
      "parallax_agent_connections_total 1",
      "parallax_agent_frames_received_total 1",
      'parallax_agent_disconnects_total{code="1012"} 1',
      // Counted by itself once, and once as what became of a change.
      "parallax_stale_writes_rejected_total 2",
    ]) {
      expect(body.split("\n")).toContain(line);
    }
    metrics.close();
  });

  it("show the process unless that is not wanted", async () => {
    const metrics = createMetrics({ nodeId: "cp-0" });
    const { body } = await metrics.expose();
    expect(body).toContain("process_resident_memory_bytes ");
    expect(body).toContain("nodejs_eventloop_lag_p99_seconds ");
    expect(body).toMatch(/^parallax_event_loop_busy_seconds_total [\d.]+$/m);
    metrics.close();
    expect(await bodyOf({})).not.toContain("nodejs_");
  });

  it("without a node id are refused", () => {
    expect(() => Reflect.apply(createMetrics, undefined, [{}])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("are asked for at each scrape, and one that throws hides no other", async () => {
    let agents = 1;
    const errors: unknown[] = [];
    const metrics = createMetrics({
      ...quiet,
      onError(error) {
        errors.push(error);
        throw new Error("nor does an onError that throws");
      },
    });
    metrics.gauge({ name: "parallax_agents_connected", help: "Agents.", read: () => agents });
    metrics.gauge({
      name: "parallax_broken",
      help: "Throws.",
      read: () => {
        throw new Error("no figure");
      },
    });
    metrics.counter({ name: "parallax_adopted_total", help: "Rises.", read: () => agents * 2 });
    agents = 5;
    const { body } = await metrics.expose();
    expect(body).toContain("parallax_agents_connected 5\n");
    expect(body).toContain("# TYPE parallax_adopted_total counter\nparallax_adopted_total 10\n");
    expect(body).toContain("parallax_metrics_errors_total 1\n");
    expect(body).not.toContain("parallax_broken");
    expect(errors).toHaveLength(1);
    metrics.close();
  });

  it.each([
    "agents",
    "parallax_Agents",
    "parallax_ha_is_leader",
    "parallax_cluster_agents",
    "parallax_stale_writes_rejected_total",
    "parallax_taken",
    "parallax_gauge_total",
  ])("are refused by the name %s", (name) => {
    const metrics = createMetrics(quiet);
    const figure = { help: "", read: () => 0 };
    metrics.gauge({ ...figure, name: "parallax_taken" });
    expect(() => metrics.gauge({ ...figure, name })).toThrow(
      expect.objectContaining({ code: "invalid_metric" }),
    );
    metrics.close();
  });

  it("keep labels bounded, whatever routes are asked for", async () => {
    const metrics = createMetrics(quiet);
    for (let index = 0; index < 1000; index += 1) {
      metrics.observeHttp({ route: `/r/${index}`, method: `M${index}`, status: 404, seconds: 0 });
    }
    const families = await parse((await metrics.expose()).body);
    const http = families.find(({ name }) => name === "parallax_http_request_duration_seconds");
    expect(new Set(http?.samples.map(({ labels }) => labels.route)).size).toBe(201);
    expect(new Set(http?.samples.map(({ labels }) => labels.method)).size).toBe(21);
    metrics.close();
  });

  it("name counters after what they are", () => {
    const metrics = createMetrics(quiet);
    const figure = { name: "parallax_adopted", help: "", read: () => 0 };
    expect(() => metrics.counter(figure)).toThrow(expect.objectContaining({ code: "invalid_metric" }));
    metrics.close();
  });

  it("let others have their turn while thousands of series are shown", async () => {
    const metrics = createMetrics(quiet);
    for (let index = 0; index < 200; index += 1)
      metrics.observeHttp({ route: `/r/${index}`, method: "GET", status: 200, seconds: 0 });
    let turns = 0;
    let isOver = false;
    const takeTurn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(takeTurn);
    };
    takeTurn();
    const { body } = await metrics.expose();
    isOver = true;
    const series = body.split("\n").filter((line) => line && !line.startsWith("#")).length;
    expect(series).toBeGreaterThan(3000);
    expect(turns, "turns of others, one for each five hundred series").toBeGreaterThan(series / 500);
    metrics.close();
  });

  it("do not meet those of another node in the same process", async () => {
    const [one, other] = [createMetrics(quiet), createMetrics({ ...quiet, nodeId: "cp-1" })];
    one.countFenced();
    expect((await other.expose()).body).toContain("parallax_stale_writes_rejected_total 0\n");
    one.close();
    other.close();
  });
});
