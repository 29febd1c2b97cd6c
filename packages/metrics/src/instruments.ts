import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { createBound } from "./bounded.ts";
import { type Family, familyType } from "./family.ts";
import type { Metrics } from "./metrics.ts";

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What is counted and timed as it happens, by prom-client. */
export interface Instruments
  extends Pick<
    Metrics,
    "observeHttp" | "observeExecution" | "observeTask" | "observeDuty" | "countFenced" | "close"
  > {
  families(): Promise<Family[]>;
  /** Whether a name is taken. */
  has(name: string): boolean;
}

/** Makes the instruments in a registry of their own: two nodes in one process do not meet. */
export function createInstruments(options: { readonly processFigures: boolean }): Instruments {
  const registry = new Registry();
  const registers = [registry];
  if (options.processFigures) collectDefaultMetrics({ register: registry });
  const timed = <Label extends string>(name: string, help: string, labelNames: Label[]): Histogram<Label> =>
    new Histogram({ name, help, labelNames, buckets: secondsBuckets, registers });

  const http = timed("parallax_http_request_duration_seconds", "Time to answer HTTP requests, by route.", [
    "method",
    "route",
    "status",
  ]);
  const executions = timed(
    "parallax_execution_duration_seconds",
    "Time from submission to the end of executions that ended on this node.",
    ["status"],
  );
  const tasks = timed("parallax_task_duration_seconds", "Time from the assignment of a task to its end.", [
    "outcome",
  ]);
  const duties = timed("parallax_duty_duration_seconds", "Time that the leader's duties took.", [
    "duty",
    "ok",
  ]);
  const fenced = new Counter({
    name: "parallax_stale_writes_rejected_total",
    help: "Writes of this node that the store refused because they carried an old term.",
    registers,
  });
  const boundRoute = createBound();
  const boundMethod = createBound(20);
  const boundDuty = createBound();

  return {
    observeHttp({ method, route, status, seconds }) {
      http.observe(
        { method: boundMethod(method), route: boundRoute(route), status: String(status) },
        seconds,
      );
    },
    observeExecution: ({ status, seconds }) => executions.observe({ status }, seconds),
    observeTask: ({ outcome, seconds }) => tasks.observe({ outcome }, seconds),
    observeDuty({ duty, ok, seconds }) {
      duties.observe({ duty: boundDuty(duty), ok: String(ok) }, seconds);
    },
    countFenced: () => fenced.inc(),
    async families() {
      return (await registry.getMetricsAsJSON()).map(familyOf);
    },
    has: (name) => registry.getSingleMetric(name) !== undefined,
    close: () => registry.clear(),
  };
}

type Read = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>[number];

function familyOf({ name, help, type, values }: Read): Family {
  const samples = values.map((value) => ({
    // Parts of a histogram or summary bring their own name.
    name: "metricName" in value && typeof value.metricName === "string" ? value.metricName : name,
    labels: Object.fromEntries(Object.entries(value.labels).map(([label, text]) => [label, labelText(text)])),
    value: value.value,
  }));
  return { name, help, type: familyType(String(type)), samples };
}

function labelText(value: string | number | undefined): string {
  return value === Number.POSITIVE_INFINITY ? "+Inf" : String(value ?? "");
}
