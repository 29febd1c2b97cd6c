import { fileURLToPath } from "node:url";
import { type ClientOptions, createClient, type ParallaxClient } from "@parallax/client";
import { runAudit } from "./audit.ts";
import { AGENT_NAMES } from "./pattern.ts";
import { renderReport } from "./report-text.ts";

/** What `parallax dev --workload` hands to a workload once its cluster and its agents run. */
export interface WorkloadRun {
  /** One address for each node. */
  readonly urls: readonly string[];
  readonly signal: AbortSignal;
  progress(done: number, total: number): void;
  log(line: string): void;
}

/** What a workload came to. */
export interface WorkloadResult {
  readonly text: string;
  readonly ok: boolean;
}

/** A job for a local cluster: which patterns and agents it needs, and how to run it. */
export interface DevWorkload {
  readonly name: string;
  readonly patternsDirectory: URL;
  /** Each module is run as a process of its own. */
  readonly agents: readonly { readonly name: string; readonly module: URL }[];
  run(run: WorkloadRun): Promise<WorkloadResult>;
}

// Run from source or from the build: the modules beside this one have the same ending.
const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The folder that is audited unless another is named: the dependencies of the workspace that this example stands in. */
export const defaultDirectory: string = fileURLToPath(new URL("../../../node_modules", import.meta.url));

/** Audits the licences of this workspace's own dependencies; right when the vote beats the baseline. */
export const workload: DevWorkload = {
  name: "license-audit",
  patternsDirectory: new URL("../patterns/", import.meta.url),
  agents: AGENT_NAMES.map((name) => ({
    name,
    module: new URL(`./agents/${name}.${ending}`, import.meta.url),
  })),
  async run({ urls, signal, progress, log }) {
    log(`collecting the licence texts below ${defaultDirectory}`);
    const report = await runAudit({
      clients: clientsOf(urls),
      directory: defaultDirectory,
      signal,
      onProgress: ({ done, total }) => progress(done, total),
    });
    return { text: renderReport(report), ok: report.voteBeatsBaseline && report.failed === 0 };
  },
};

/** A client for each address that asks it first and the others when it does not answer: nodes may come and go. */
export function clientsOf(
  urls: readonly string[],
  options: Omit<ClientOptions, "url"> = {},
): [ParallaxClient, ...ParallaxClient[]] {
  const rotations = urls.map((_, index) => [...urls.slice(index), ...urls.slice(0, index)]);
  const [first, ...others] = rotations.map((url) => createClient({ ...options, url }));
  return first === undefined ? [createClient(options)] : [first, ...others];
}
