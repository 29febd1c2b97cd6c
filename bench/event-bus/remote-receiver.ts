import { fork } from "node:child_process";
import { once } from "node:events";
import { monotonicUs, pause, quantile } from "./options.ts";
import { type Subject, subjects } from "./subjects.ts";

/** What a receiver measured since it was last asked. */
export interface Report {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly gaps: number;
}

/** A receiver in a process of its own. */
export interface RemoteReceiver {
  /** Events that have arrived, as far as is known here. */
  readonly arrived: number;
  /** Resolves when more has arrived. */
  progress(): Promise<void>;
  /** What was measured since the last report. */
  report(): Promise<Report>;
  close(): Promise<void>;
}

/** How many arrivals are told at once. */
const told = 250;

type Message = { readonly arrived: number } | { readonly report: Report } | { readonly ready: true };

/** Forks this program as the receiver of a subject. */
export async function startReceiver(subject: Subject, url: string): Promise<RemoteReceiver> {
  const child = fork(process.argv[1] ?? "", ["--receive", subject.name, "--from", url]);
  let arrived = 0;
  let onReport: (report: Report) => void = () => {};
  let onProgress = (): void => {};
  const ready = new Promise<void>((resolve) => {
    child.on("message", (message: Message) => {
      if ("ready" in message) resolve();
      else if ("arrived" in message) {
        arrived = message.arrived;
        onProgress();
      } else onReport(message.report);
    });
  });
  await ready;
  return {
    get arrived() {
      return arrived;
    },
    progress: () => new Promise((resolve) => (onProgress = resolve)),
    report() {
      const report = new Promise<Report>((resolve) => (onReport = resolve));
      child.send("report");
      return report;
    },
    async close() {
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
  };
}

/** The receiver's side: measures until it is killed. */
export async function receive(name: string, url: string): Promise<void> {
  const subject = subjects.find((candidate) => candidate.name === name);
  if (!subject) throw new Error(`there is no subject ${name}`);
  // Whoever asked may have gone.
  const tell = (message: Message): void => void process.send?.(message, undefined, undefined, () => {});
  let latenciesMs: number[] = [];
  let arrived = 0;
  let gaps = 0;
  const { hostname, port } = new URL(url);
  await subject.openReceiver(
    { host: hostname, port: Number(port) },
    {
      onArrival({ sentAtUs }) {
        latenciesMs.push((monotonicUs() - sentAtUs) / 1000);
        arrived += 1;
        if (arrived % told === 0) tell({ arrived });
      },
      onGap() {
        gaps += 1;
      },
    },
  );
  process.on("message", () => {
    const sorted = latenciesMs.toSorted((one, other) => one - other);
    latenciesMs = [];
    tell({ arrived });
    tell({ report: { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), gaps } });
    gaps = 0;
  });
  process.on("disconnect", () => process.exit());
  tell({ ready: true });
  for (;;) {
    await pause(20);
    tell({ arrived });
  }
}
