import { performance } from "node:perf_hooks";
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { createBound } from "./bounded.ts";
import { type Family, familyType, type Sample } from "./family.ts";
import { createPauses } from "./in-slices.ts";
import type { Metrics } from "./metrics.ts";

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** What only an error makes long needs no fine steps at its long end. */
const shortBuckets = secondsBuckets.filter((bound) => bound <= 5);

/** Values of the label `outcome`: codes of errors, which are few. */
const maxOutcomes = 30;

/** What is counted and timed as it happens, by prom-client. */
export interface Instruments extends Omit<Metrics, "expose" | "gauge" | "counter"> {
  families(): Promise<Family[]>;
  /** Whether a name is taken. */
  has(name: string): boolean;
}

/** Makes the instruments in a registry of their own: two nodes in one process do not meet. */
export function createInstruments(options: { readonly processFigures: boolean }): Instruments {
  const registry = new Registry();
  const registries = options.processFigures ? [figuresOfProcess(), registry] : [registry];
  return {
    ...requestInstruments(registry),
    ...workInstruments(registry),
    ...storeInstruments(registry),
    ...socketInstruments(registry),
    async families() {
      const pause = createPauses();
      const families: Family[] = [];
      // One after the other, where the registry itself would read them all at once.
      for (const from of registries) {
        for (const { name } of from.getMetricsAsArray()) {
          const metric = from.getSingleMetric(name);
          if (metric) families.push(await familyOf(await metric.get(), pause));
        }
      }
      return families;
    },
    has: (name) => registries.some((from) => from.getSingleMetric(name) !== undefined),
    close: () => registry.clear(),
  };
}

function timed<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
  buckets = secondsBuckets,
): Histogram<Label> {
  return new Histogram({ name, help, labelNames, buckets, registers: [registry] });
}

function counted<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[] = [],
): Counter<Label> {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function requestInstruments(registry: Registry): Pick<Metrics, "observeHttp"> {
  const http = timed(
    registry,
    "parallax_http_request_duration_seconds",
    "Time to answer HTTP requests, by route.",
    ["method", "route", "status"],
  );
  const boundRoute = createBound();
  const boundMethod = createBound(20);
  return {
    observeHttp({ method, route, status, seconds }) {
      const labels = { method: boundMethod(method), route: boundRoute(route), status: String(status) };
      http.observe(labels, seconds);
    },
  };
}

function workInstruments(
  registry: Registry,
): Pick<Metrics, "observeExecution" | "observeTask" | "observeDuty"> {
  const executions = timed(
    registry,
    "parallax_execution_duration_seconds",
    "Time from submission to the end of executions that ended on this node.",
    ["status"],
  );
  const tasks = timed(
    registry,
    "parallax_task_duration_seconds",
    "Time from sending a task to its end, one observation an attempt.",
    ["outcome"],
  );
  const duties = timed(registry, "parallax_duty_duration_seconds", "Time that the leader's duties took.", [
    "duty",
    "ok",
  ]);
  const boundDuty = createBound();
  return {
    observeExecution: ({ status, seconds }) => executions.observe({ status }, seconds),
    observeTask: ({ outcome, seconds }) => tasks.observe({ outcome }, seconds),
    observeDuty({ duty, ok, seconds }) {
      duties.observe({ duty: boundDuty(duty), ok: String(ok) }, seconds);
    },
  };
}

function storeInstruments(
  registry: Registry,
): Pick<Metrics, "observeRedis" | "observeStore" | "countChange" | "countFenced" | "staleWrites"> {
  const redis = timed(
    registry,
    "parallax_redis_request_duration_seconds",
    "Time of requests to Redis, retries included, by connection.",
    ["role", "outcome"],
    shortBuckets,
  );
  const store = timed(
    registry,
    "parallax_store_operation_duration_seconds",
    "Time of operations of the state store, by operation.",
    ["operation", "outcome"],
    shortBuckets,
  );
  const changes = counted(registry, "parallax_store_changes_total", "Changes of records, by their outcome.", [
    "outcome",
  ]);
  const fenced = counted(
    registry,
    "parallax_stale_writes_rejected_total",
    "Writes of this node that the store refused because they carried an old term.",
  );
  let staleWrites = 0;
  const countFenced = (): void => {
    staleWrites += 1;
    fenced.inc();
  };
  const boundOutcome = createBound(maxOutcomes);
  const boundOperation = createBound(maxOutcomes);
  return {
    observeRedis: ({ role, outcome, seconds }) =>
      redis.observe({ role, outcome: boundOutcome(outcome) }, seconds),
    observeStore({ operation, outcome, seconds }) {
      store.observe({ operation: boundOperation(operation), outcome: boundOutcome(outcome) }, seconds);
    },
    countChange(outcome) {
      changes.inc({ outcome: boundOutcome(outcome) });
      if (outcome === "fenced") countFenced();
    },
    countFenced,
    staleWrites: () => staleWrites,
  };
}

function socketInstruments(
  registry: Registry,
): Pick<Metrics, "countFrame" | "countConnection" | "countDisconnect"> {
  const frames = counted(registry, "parallax_agent_frames_received_total", "Frames that agents sent.");
  const connections = counted(registry, "parallax_agent_connections_total", "WebSockets of agents accepted.");
  const disconnects = counted(
    registry,
    "parallax_agent_disconnects_total",
    "WebSockets of agents closed, by their closing code.",
    ["code"],
  );
  const boundCode = createBound(maxOutcomes);
  return {
    countFrame: () => frames.inc(),
    countConnection: () => connections.inc(),
    countDisconnect: (code) => disconnects.inc({ code: boundCode(String(code)) }),
  };
}

let ofProcess: Registry | undefined;

/** All nodes of a process show the same ones: what they are watched with is never stopped, and runs once. */
function figuresOfProcess(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry();
    watchProcess(ofProcess);
  }
  return ofProcess;
}

/** CPU, memory, garbage collection and loop lag by prom-client; the loop's busy time as counters, whose rate is its utilization. */
function watchProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  const loop = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read() / 1000);
      },
    });
  };
  loop(
    "parallax_event_loop_busy_seconds_total",
    "Time in which the event loop did something; its rate is the loop's utilization.",
    () => performance.eventLoopUtilization().active,
  );
  loop(
    "parallax_event_loop_idle_seconds_total",
    "Time in which the event loop waited.",
    () => performance.eventLoopUtilization().idle,
  );
}

type Read = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>[number];

async function familyOf(
  { name, help, type, values }: Read,
  pause: ReturnType<typeof createPauses>,
): Promise<Family> {
  const next = pause(values.length);
  if (next) await next;
  const samples: Sample[] = [];
  for (const value of values) {
    // Parts of a histogram or summary bring their own name.
    const own = "metricName" in value && typeof value.metricName === "string" ? value.metricName : name;
    samples.push({ name: own, labels: labelsOf(value.labels), value: value.value });
    const turn = pause();
    if (turn) await turn;
  }
  return { name, help, type: familyType(String(type)), samples };
}

function labelsOf(labels: Readonly<Record<string, string | number | undefined>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const label in labels) texts[label] = labelText(labels[label]);
  return texts;
}

function labelText(value: string | number | undefined): string {
  return value === Number.POSITIVE_INFINITY ? "+Inf" : String(value ?? "");
}
