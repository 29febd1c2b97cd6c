import type { Classification } from "./classification.ts";
import type { SkippedPackage } from "./collect.ts";
import { compareText } from "./order.ts";

/** One text after the audit. */
export interface CaseOutcome {
  readonly id: string;
  readonly truth: string;
  readonly packages: readonly string[];
  /** By the agent's name. An agent that did not answer is absent. */
  readonly answers: Readonly<Record<string, Classification>>;
  /** What the answers came to; absent where the execution did not complete. */
  readonly vote?: string | undefined;
  /** Why there is no vote: the execution's error code, or the status that it ended with. */
  readonly failure?: string | undefined;
}

/** What a report is made of. */
export interface ReportInput {
  /** Names, in the order of the report's columns. */
  readonly agents: readonly string[];
  readonly outcomes: readonly CaseOutcome[];
  readonly skipped: readonly SkippedPackage[];
  /** Number of texts whose packages declare different licences. */
  readonly conflicts: number;
  readonly elapsedMs: number;
}

/** How often somebody was right. */
export interface Score {
  readonly correct: number;
  /** `correct` over all texts, from 0 to 1; 0 where there are none. */
  readonly accuracy: number;
}

/** How many of the texts with one licence were recognised as such. */
export interface LicenseRecall {
  readonly license: string;
  readonly texts: number;
  /** By the agent's name, from 0 to 1. */
  readonly agents: Readonly<Record<string, number>>;
  readonly vote: number;
}

/** The result of an audit. Two runs over the same input differ in `elapsedMs` and `executionsPerSecond` only. */
export interface AuditReport {
  readonly texts: number;
  readonly packages: number;
  readonly agents: readonly (Score & { readonly name: string })[];
  readonly vote: Score;
  /** Always naming the most frequent licence. */
  readonly baseline: Score & { readonly license: string };
  readonly voteBeatsBaseline: boolean;
  /** Most frequent first. */
  readonly recall: readonly LicenseRecall[];
  /** The texts on which the agents differ, or whose vote is not what their packages declare. */
  readonly disagreements: readonly CaseOutcome[];
  readonly skipped: readonly { readonly reason: string; readonly packages: readonly string[] }[];
  readonly conflicts: number;
  /** Number of executions without a result. */
  readonly failed: number;
  readonly elapsedMs: number;
  readonly executionsPerSecond: number;
}

/** Works out the report. Pure: the order of the outcomes does not matter. */
export function createReport(input: ReportInput): AuditReport {
  const outcomes = [...input.outcomes].sort(
    (a, b) =>
      compareText(a.truth, b.truth) ||
      compareText(a.packages.join(), b.packages.join()) ||
      compareText(a.id, b.id),
  );
  const recall = recallByLicense(outcomes, input.agents);
  const mostFrequent = recall[0];
  const vote = score(outcomes, votedFor);
  const baseline = {
    license: mostFrequent?.license ?? "",
    ...scoreOf(mostFrequent?.texts ?? 0, outcomes.length),
  };
  return {
    texts: outcomes.length,
    packages: outcomes.reduce((sum, { packages }) => sum + packages.length, 0),
    agents: input.agents.map((name) => ({ name, ...score(outcomes, answered(name)) })),
    vote,
    baseline,
    voteBeatsBaseline: vote.correct > baseline.correct,
    recall,
    disagreements: outcomes.filter((outcome) => isContested(outcome, input.agents)),
    skipped: skippedByReason(input.skipped),
    conflicts: input.conflicts,
    failed: outcomes.filter((outcome) => outcome.vote === undefined).length,
    elapsedMs: input.elapsedMs,
    executionsPerSecond: input.elapsedMs > 0 ? (outcomes.length * 1000) / input.elapsedMs : 0,
  };
}

type Reader = (outcome: CaseOutcome) => string | undefined;

const votedFor: Reader = ({ vote }) => vote;

function answered(agent: string): Reader {
  return ({ answers }) => answers[agent]?.result;
}

function score(outcomes: readonly CaseOutcome[], read: Reader): Score {
  return scoreOf(outcomes.filter((outcome) => read(outcome) === outcome.truth).length, outcomes.length);
}

function scoreOf(correct: number, of: number): Score {
  return { correct, accuracy: of === 0 ? 0 : correct / of };
}

function recallByLicense(outcomes: readonly CaseOutcome[], agents: readonly string[]): LicenseRecall[] {
  const groups = new Map<string, CaseOutcome[]>();
  for (const outcome of outcomes) groups.set(outcome.truth, [...(groups.get(outcome.truth) ?? []), outcome]);
  return [...groups]
    .map(([license, members]) => ({
      license,
      texts: members.length,
      agents: Object.fromEntries(agents.map((name) => [name, score(members, answered(name)).accuracy])),
      vote: score(members, votedFor).accuracy,
    }))
    .sort((a, b) => b.texts - a.texts || compareText(a.license, b.license));
}

function isContested(outcome: CaseOutcome, agents: readonly string[]): boolean {
  const results = new Set(agents.map((name) => outcome.answers[name]?.result));
  return results.size > 1 || outcome.vote !== outcome.truth;
}

function skippedByReason(skipped: readonly SkippedPackage[]): AuditReport["skipped"] {
  const reasons = new Map<string, string[]>();
  for (const item of skipped) reasons.set(item.reason, [...(reasons.get(item.reason) ?? []), item.package]);
  return [...reasons]
    .map(([reason, packages]) => ({ reason, packages: packages.sort(compareText) }))
    .sort((a, b) => b.packages.length - a.packages.length || compareText(a.reason, b.reason));
}
