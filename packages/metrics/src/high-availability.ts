import { Counter, Gauge, type Registry } from "prom-client";
import type { MetricsOptions } from "./metrics.ts";
import { pullSummary } from "./pulled-summary.ts";

const quantiles = [0.5, 0.9, 0.99] as const;

/** The contract's five, and what belongs to them. Each is worked out at the scrape, from the lease and the view as they are. */
export function highAvailabilityMetrics(registry: Registry, options: MetricsOptions): void {
  const { nodeId, election, membership, bus, singleNode = false } = options;
  const registers = [registry];
  const members = () => membership?.view()?.members ?? [];
  const healthy = () => members().filter(({ status }) => status === "healthy" || status === "suspect");

  new Gauge({
    name: "parallax_ha_is_leader",
    help: "1 while this node's lease is certainly valid, else 0.",
    labelNames: ["node"],
    registers,
    collect() {
      this.set({ node: nodeId }, singleNode || election?.stats().isLeader ? 1 : 0);
    },
  });
  new Gauge({
    name: "parallax_ha_cluster_members",
    help: "Members of the cluster, unhealthy ones included.",
    registers,
    collect() {
      this.set(singleNode ? 1 : members().length);
    },
  });
  new Gauge({
    name: "parallax_ha_healthy_members",
    help: "Healthy members of the cluster; suspected ones still count.",
    registers,
    collect() {
      this.set(singleNode ? 1 : healthy().length);
    },
  });
  new Counter({
    name: "parallax_ha_elections_total",
    help: "Terms granted in this cluster, the same on every node.",
    registers,
    collect() {
      this.reset();
      this.inc(election?.stats().termsGranted ?? 0);
    },
  });
  if (bus) busMetrics(registry, bus);
}

function busMetrics(registry: Registry, bus: NonNullable<MetricsOptions["bus"]>): void {
  const about = {
    name: "parallax_ha_sync_latency_seconds",
    help: "From publishing a change until it is delivered.",
  };
  pullSummary(about, registry, () => {
    const { count, sumMs, quantile } = bus.stats().syncLatencyMs;
    return {
      count,
      sum: sumMs / 1000,
      quantiles: quantiles.map((q) => ({ quantile: q, value: quantile(q) / 1000 })),
    };
  });
  new Counter({
    name: "parallax_event_gaps_total",
    help: "Gaps that subscribers of this node were told of: events that they will never see.",
    labelNames: ["reason"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(bus.stats().gaps)) this.inc({ reason }, count);
    },
  });
}
