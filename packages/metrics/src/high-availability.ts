import { type Family, family } from "./family.ts";
import type { MetricsOptions } from "./metrics.ts";

const quantiles = [0.5, 0.9, 0.99] as const;

/** The contract's five, and what belongs to them: worked out at the scrape, from the lease and the view as they are. */
export function highAvailabilityFamilies(options: MetricsOptions): Family[] {
  return [...leadership(options), ...members(options), ...events(options), ...connections(options)];
}

function leadership({ nodeId, election, singleNode = false }: MetricsOptions): Family[] {
  // Once a scrape: some figures of the election are those since the last call.
  const stats = election?.stats();
  const isLeader = singleNode || stats?.isLeader === true;
  return [
    family("gauge", "parallax_ha_is_leader", "1 while this node's lease is certainly valid, else 0.", [
      { value: isLeader ? 1 : 0, labels: { node: nodeId } },
    ]),
    family(
      "counter",
      "parallax_ha_elections_total",
      "Terms granted in this cluster, the same on every node.",
      [{ value: stats?.termsGranted ?? 0 }],
    ),
    ...(stats
      ? [
          family(
            "gauge",
            "parallax_ha_lease_remaining_seconds",
            "How long this node's lease is certainly valid.",
            [{ value: Math.max(0, stats.leaseRemainingMs) / 1000 }],
          ),
          family(
            "counter",
            "parallax_ha_renew_failures_total",
            "Renewals of this node that were not acknowledged.",
            [{ value: stats.renewFailures }],
          ),
          family(
            "gauge",
            "parallax_ha_handover_seconds",
            "From the previous holder's end to this node's last term.",
            [{ value: seconds(stats.lastHandoverMs) }],
          ),
        ]
      : []),
  ];
}

function members({ membership, singleNode = false }: MetricsOptions): Family[] {
  const listed = membership?.view()?.members ?? [];
  const healthy = listed.filter(({ status }) => status === "healthy" || status === "suspect");
  const silentMs = membership?.unacknowledgedMs?.();
  return [
    family("gauge", "parallax_ha_cluster_members", "Members of the cluster, unhealthy ones included.", [
      { value: singleNode ? 1 : listed.length },
    ]),
    family(
      "gauge",
      "parallax_ha_healthy_members",
      "Healthy members of the cluster; suspected ones still count.",
      [{ value: singleNode ? 1 : healthy.length }],
    ),
    family(
      "gauge",
      "parallax_ha_unacknowledged_seconds",
      "Since this node's last acknowledged beat, at most.",
      [{ value: Number.isFinite(silentMs) ? seconds(silentMs) : undefined }],
    ),
  ].filter(({ samples }) => samples.length > 0);
}

function events({ bus }: MetricsOptions): Family[] {
  if (!bus) return [];
  const { syncLatencyMs, gaps, delivered, published, live } = bus.stats();
  const name = "parallax_ha_sync_latency_seconds";
  const lines = quantiles.map((quantile) => ({
    name,
    labels: { quantile: String(quantile) },
    value: syncLatencyMs.quantile(quantile) / 1000,
  }));
  return [
    {
      name,
      help: "From publishing a change until it is delivered.",
      type: "summary",
      samples: [
        ...lines,
        { name: `${name}_sum`, labels: {}, value: syncLatencyMs.sumMs / 1000 },
        { name: `${name}_count`, labels: {}, value: syncLatencyMs.count },
      ],
    },
    family(
      "counter",
      "parallax_event_gaps_total",
      "Gaps that subscribers of this node were told of: events that they will never see.",
      Object.entries(gaps).map(([reason, value]) => ({ value, labels: { reason } })),
    ),
    family("counter", "parallax_events_delivered_total", "Events delivered to subscribers of this node.", [
      { value: delivered },
    ]),
    family("counter", "parallax_events_published_total", "Events published by this node.", [
      { value: published },
    ]),
    family(
      "gauge",
      "parallax_event_subscriptions_up",
      "1 while every subscription is at the top of its log.",
      [{ value: live ? 1 : 0 }],
    ),
  ];
}

function connections({ redis }: MetricsOptions): Family[] {
  if (!redis) return [];
  const roles = [
    ["lease", redis.lease],
    ["data", redis.data],
    ["subscriber", redis.subscriber],
  ] as const;
  return [
    family(
      "gauge",
      "parallax_redis_up",
      "1 while commands can be sent to Redis, by connection.",
      roles.map(([role, { state }]) => ({ value: state === "ready" ? 1 : 0, labels: { role } })),
    ),
    family(
      "gauge",
      "parallax_redis_round_trip_seconds",
      "The last acknowledged round trip to Redis, by connection.",
      roles.map(([role, { roundTripMs }]) => ({ value: seconds(roundTripMs), labels: { role } })),
    ),
  ].filter(({ samples }) => samples.length > 0);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
