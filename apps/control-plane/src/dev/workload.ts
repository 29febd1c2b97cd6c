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
  /** The report, for people. */
  readonly text: string;
  /** Whether it went as it should: the exit code of `parallax dev --exit`. */
  readonly ok: boolean;
}

/** A job for a local cluster: which patterns and agents it needs, and how to run it. A workload module exports it as `workload`. */
export interface DevWorkload {
  readonly name: string;
  readonly patternsDirectory: URL;
  /** Each module is run as a process of its own, with `PARALLAX_URL` naming the nodes. */
  readonly agents: readonly { readonly name: string; readonly module: URL }[];
  run(run: WorkloadRun): Promise<WorkloadResult>;
}
