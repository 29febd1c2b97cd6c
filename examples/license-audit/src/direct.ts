import { groupByText } from "./cases.ts";
import type { Classification } from "./classification.ts";
import { collectPackages } from "./collect.ts";
import { methods } from "./methods/catalogue.ts";
import { type AuditReport, type CaseOutcome, createReport } from "./report.ts";
import { majority } from "./vote.ts";

/**
 * Runs the methods over a folder in this process, without a cluster: what they are worth by themselves, and what the
 * report of a cluster must come to.
 */
export async function auditDirectly(options: {
  readonly directory: string;
  readonly signal?: AbortSignal;
}): Promise<AuditReport> {
  const collection = await collectPackages(options);
  const { cases, conflicts } = groupByText(collection.packages);
  const classifiers = methods.map(({ name, create }) => ({ name, classify: create() }));
  const startedMs = performance.now();
  const outcomes = cases.map(({ id, text, truth, packages }): CaseOutcome => {
    const answers: Record<string, Classification> = {};
    for (const { name, classify } of classifiers) answers[name] = classify(text);
    return { id, truth, packages, answers, vote: majority(Object.values(answers)) };
  });
  return createReport({
    agents: methods.map(({ name }) => name),
    outcomes,
    skipped: collection.skipped,
    conflicts: conflicts.length,
    elapsedMs: performance.now() - startedMs,
  });
}
