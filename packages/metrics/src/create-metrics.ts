import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { highAvailabilityMetrics } from "./high-availability.ts";
import type { Metrics, MetricsOptions } from "./metrics.ts";

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Makes the instruments of a node, in a registry of their own: two nodes in one process do not meet. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  highAvailabilityMetrics(registry, options);

  const http = new Histogram({
    name: "parallax_http_request_duration_seconds",
    help: "Time to answer HTTP requests, by route.",
    labelNames: ["method", "route", "status"],
    buckets: secondsBuckets,
    registers,
  });
  const executions = new Histogram({
    name: "parallax_execution_duration_seconds",
    help: "Time from submission to the end of executions that ended on this node.",
    labelNames: ["status"],
    buckets: secondsBuckets,
    registers,
  });
  const duties = new Histogram({
    name: "parallax_duty_duration_seconds",
    help: "Time that the leader's duties took.",
    labelNames: ["duty", "ok"],
    buckets: secondsBuckets,
    registers,
  });
  const fenced = new Counter({
    name: "parallax_stale_writes_rejected_total",
    help: "Writes of this node that the store refused because they carried an old term.",
    registers,
  });

  return {
    expose: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
    observeHttp: ({ method, route, status, seconds }) => http.observe({ method, route, status }, seconds),
    observeExecution: ({ status, seconds }) => executions.observe({ status }, seconds),
    observeDuty: ({ duty, ok, seconds }) => duties.observe({ duty, ok: String(ok) }, seconds),
    countFenced: () => fenced.inc(),
    gauge({ name, help, read }) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    close() {
      registry.clear();
    },
  };
}
