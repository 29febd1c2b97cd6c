import { setTimeout as sleep } from "node:timers/promises";
import type { Election, Term } from "@parallax/leader-election";
import type { Ledger } from "./ledger.ts";

/** A job that is due every `everyMs`, at multiples of it since the Unix epoch. */
export interface Job {
  readonly name: string;
  readonly everyMs: number;
  /** Give `term.token` to whatever this writes to, and end when `term.signal` aborts. */
  run(slot: number, term: Term): Promise<void>;
}

/**
 * Runs the jobs on whichever node leads, until `signal` aborts. Each due time runs at most once; those that pass while
 * nobody leads are not made up for.
 */
export function runCron(
  election: Election,
  ledger: Ledger,
  jobs: readonly Job[],
  signal: AbortSignal,
): Promise<void> {
  const lead = async (term: Term): Promise<void> => {
    await Promise.all(jobs.map((job) => runJob(job, ledger, term)));
  };
  return election.run(lead, { signal });
}

async function runJob(job: Job, ledger: Ledger, term: Term): Promise<void> {
  while (!term.signal.aborted) {
    const slot = Math.floor(Date.now() / job.everyMs) + 1;
    await sleep(slot * job.everyMs - Date.now(), undefined, { signal: term.signal });
    const claim = await ledger.claim(job.name, slot, term.token);
    // A later leader's token is higher than ours: our term is over, whether or not we have heard of it.
    if (claim === "fenced") return;
    if (claim === "due") await job.run(slot, term);
  }
}
