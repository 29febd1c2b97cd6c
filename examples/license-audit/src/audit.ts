import type { Agents, Executions, Patterns } from "@parallax/client";
import { type Clock, randomId, systemClock } from "@parallax/core";
import type { Execution } from "@parallax/protocol";
import { type AgentNames, createAgentNames, waitForAgents } from "./agent-names.ts";
import { groupByText, type LicenseCase } from "./cases.ts";
import type { Classification } from "./classification.ts";
import { collectPackages } from "./collect.ts";
import { inParallel } from "./in-parallel.ts";
import { AGENT_NAMES, PATTERN } from "./pattern.ts";
import { type AuditReport, type CaseOutcome, createReport } from "./report.ts";

/** What the audit needs of a `ParallaxClient`. */
export interface AuditClient {
  readonly executions: Pick<Executions, "run">;
  readonly agents: Pick<Agents, "all" | "get">;
  readonly patterns: Pick<Patterns, "get">;
}

export interface AuditProgress {
  /** Number of executions that have ended. */
  readonly done: number;
  readonly total: number;
}

export interface AuditOptions {
  /** Executions are dealt to these in turn: one for each node spreads the work over all of them. */
  readonly clients: readonly [AuditClient, ...AuditClient[]];
  /** Where to look for packages. */
  readonly directory: string;
  /** Part of every idempotency key: the same id over the same folder gives the same executions. Default: random. */
  readonly runId?: string;
  /** How many executions are under way at once. Default 32. */
  readonly concurrency?: number;
  /** How long to wait for the three agents. Default 30,000 ms. */
  readonly agentsTimeoutMs?: number;
  /** How long to wait for one execution. Default 300,000 ms. */
  readonly executionTimeoutMs?: number;
  readonly onProgress?: (progress: AuditProgress) => void;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * Audits a folder through a control plane: one execution for each unique text, each answered by the three agents. The texts
 * are all that leaves this process; what the packages declare is only compared with the answers.
 *
 * An execution that fails counts against the vote. The audit itself fails with the client's errors, and with
 * `audit_directory_unreadable`, `agents_missing` and `pattern_not_found`.
 */
export async function runAudit(options: AuditOptions): Promise<AuditReport> {
  const { clients, directory, signal, clock = systemClock, runId = randomId("audit_") } = options;
  const [first] = clients;
  const collection = await collectPackages({ directory, ...(signal && { signal }) });
  const { cases, conflicts } = groupByText(collection.packages);
  await first.patterns.get(PATTERN, signal && { signal });
  const { agentsTimeoutMs = 30_000 } = options;
  await waitForAgents({
    agents: first.agents,
    names: AGENT_NAMES,
    timeoutMs: agentsTimeoutMs,
    clock,
    signal,
  });

  const names = createAgentNames(first.agents);
  const startedMs = clock.now();
  let done = 0;
  const outcomes = await inParallel(
    cases,
    { limit: options.concurrency ?? 32, signal },
    async (one, laneSignal, index) => {
      const client = clients[index % clients.length] ?? first;
      const execution = await client.executions.run({
        pattern: PATTERN,
        input: { content: one.text },
        idempotencyKey: `${runId}:${one.id}`,
        timeout: options.executionTimeoutMs ?? 300_000,
        signal: laneSignal,
      });
      const outcome = await outcomeOf(one, execution, names, laneSignal);
      done += 1;
      options.onProgress?.({ done, total: cases.length });
      return outcome;
    },
  );
  return createReport({
    agents: AGENT_NAMES,
    outcomes,
    skipped: collection.skipped,
    conflicts: conflicts.length,
    elapsedMs: clock.now() - startedMs,
  });
}

async function outcomeOf(
  { id, truth, packages }: LicenseCase,
  execution: Execution,
  names: AgentNames,
  signal: AbortSignal,
): Promise<CaseOutcome> {
  const answers: Record<string, Classification> = {};
  for (const { agentId, result, confidence = 0 } of execution.tasks) {
    if (agentId === undefined || typeof result !== "string") continue;
    const name = await names.nameOf(agentId, signal);
    if (name !== undefined) answers[name] = { result, confidence };
  }
  const { result: vote } = execution;
  if (typeof vote === "string") return { id, truth, packages, answers, vote };
  return { id, truth, packages, answers, failure: execution.error?.code ?? execution.status };
}
