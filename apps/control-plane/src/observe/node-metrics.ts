import type { Clock, Logger } from "@parallax/core";
import { createMetrics, type Metrics, type MetricsOptions } from "@parallax/metrics";
import type { Backends } from "../backends.ts";
import type { Config } from "../config/schema.ts";
import { type ExecutionRecord, isFinal } from "../executions/record.ts";
import type { Work } from "../work.ts";

/** What a node's figures are read from, at each scrape. */
export interface MeasuredParts {
  readonly election: NonNullable<MetricsOptions["election"]>;
  readonly membership: NonNullable<MetricsOptions["membership"]>;
  readonly bus: NonNullable<MetricsOptions["bus"]>;
  readonly work: Pick<Work, "hub" | "ownership" | "roster" | "dispatcher">;
}

export interface NodeMetricsOptions {
  readonly config: Config;
  readonly backends: Backends;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asked for at a scrape: metrics are made first, so that everything else can be measured. */
  readonly parts: () => MeasuredParts;
}

/** The metrics of a node: the packages' figures and its own work. */
export function createNodeMetrics(options: NodeMetricsOptions): Metrics {
  const { config, backends, nodeId, clock, logger, parts } = options;
  const { redis } = backends;
  const metrics = createMetrics({
    nodeId,
    clock,
    election: { stats: () => parts().election.stats() },
    membership: {
      view: () => parts().membership.view(),
      unacknowledgedMs: () => parts().membership.unacknowledgedMs?.() ?? Number.NaN,
    },
    bus: { stats: () => parts().bus.stats() },
    ...(redis ? { redis } : {}),
    singleNode: !config.highAvailability.enabled,
    onError: (error) => logger.debug("a figure could not be read", { error }),
  });
  const gauge = (name: string, help: string, read: () => number): void => metrics.gauge({ name, help, read });
  gauge("parallax_agents_connected", "Agents connected to this node.", () => parts().work.hub.size);
  const unsent = "The most that waits to be sent to one of them, in bytes.";
  gauge("parallax_agents_unsent_bytes_max", unsent, () => parts().work.hub.mostUnsentBytes);
  gauge("parallax_agent_slots", "Tasks that the agents of this node can take at once.", () =>
    sum([...parts().work.roster.all()].map(({ slots }) => slots)),
  );
  gauge("parallax_agent_slots_used", "Tasks that the agents of this node hold.", () =>
    sum([...parts().work.roster.all()].map(({ held }) => held.size)),
  );
  gauge("parallax_executions_open", "Open executions of this node.", () => parts().work.ownership.open);
  gauge(
    "parallax_tasks_waiting",
    "Tasks that wait for an agent of this node, of whichever node's executions.",
    () => parts().work.dispatcher.waiting,
  );
  backends.onRedisRequest((request) => metrics.observeRedis(request));
  return metrics;
}

/** Observes how long an execution took, by the times in its record. */
export function observeExecution(
  metrics: Pick<Metrics, "observeExecution">,
  { status, createdAt, finishedAt = createdAt }: ExecutionRecord,
): void {
  const seconds = Math.max(0, Date.parse(finishedAt) - Date.parse(createdAt)) / 1000;
  if (isFinal(status)) metrics.observeExecution({ status, seconds });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
