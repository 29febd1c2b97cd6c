import type { AuditReport, CaseOutcome, Score } from "./report.ts";

/** So many disagreements are shown in the text; the JSON form has all. */
const SHOWN_DISAGREEMENTS = 20;
const PACKAGES_WIDTH = 60;

/** What a report's rate counts. */
export interface RenderOptions {
  /** Default "executions", which is what a control plane runs. */
  readonly unit?: string;
}

/** The report for people. Its last lines are the rate and the verdict. */
export function renderReport(report: AuditReport, { unit = "executions" }: RenderOptions = {}): string {
  return [
    `Licence audit: ${report.texts} unique texts of ${report.packages} packages, ${report.agents.length} agents, majority vote`,
    "",
    ...accuracyTable(report),
    "",
    ...recallTable(report),
    "",
    ...disagreementTable(report),
    "",
    ...notes(report, unit),
  ].join("\n");
}

function accuracyTable(report: AuditReport): string[] {
  const row = (name: string, { correct, accuracy }: Score): string[] => [
    name,
    `${correct}/${report.texts}`,
    percent(accuracy),
  ];
  return table([
    ["Who", "Correct", "Accuracy"],
    ...report.agents.map((agent) => row(agent.name, agent)),
    row("the vote", report.vote),
    row(`always ${report.baseline.license || "nothing"}`, report.baseline),
  ]);
}

function recallTable(report: AuditReport): string[] {
  const names = report.agents.map(({ name }) => name);
  return table([
    ["Recall", "Texts", ...names, "the vote"],
    ...report.recall.map(({ license, texts, agents, vote }) => [
      license,
      String(texts),
      ...names.map((name) => percent(agents[name] ?? 0)),
      percent(vote),
    ]),
  ]);
}

function disagreementTable(report: AuditReport): string[] {
  if (report.disagreements.length === 0) return ["No disagreements."];
  const names = report.agents.map(({ name }) => name);
  const shown = report.disagreements.slice(0, SHOWN_DISAGREEMENTS);
  const rest = report.disagreements.length - shown.length;
  return [
    ...table([
      ["Declared", ...names, "the vote", "Packages"],
      ...shown.map((outcome) => [
        outcome.truth,
        ...names.map((name) => outcome.answers[name]?.result ?? "(no answer)"),
        outcome.vote ?? `(${outcome.failure ?? "no result"})`,
        packageList(outcome),
      ]),
    ]),
    ...(rest > 0 ? [`and ${rest} more disagreements, all of them in the JSON report`] : []),
  ];
}

function notes(report: AuditReport, unit: string): string[] {
  const skipped = report.skipped.reduce((sum, { packages }) => sum + packages.length, 0);
  const reasons = report.skipped.map(({ reason, packages }) => `${packages.length} ${reason}`).join(", ");
  const points = ((report.vote.accuracy - report.baseline.accuracy) * 100).toFixed(1);
  return [
    skipped === 0 ? "No package was left out." : `${skipped} packages were left out: ${reasons}.`,
    ...(report.conflicts > 0
      ? [`${report.conflicts} texts are declared differently by their packages.`]
      : []),
    ...(report.failed > 0 ? [`Without a result: ${report.failed} of ${report.texts} ${unit}.`] : []),
    `${report.texts} ${unit} in ${(report.elapsedMs / 1000).toFixed(2)} s: ${report.executionsPerSecond.toFixed(0)}/s`,
    report.voteBeatsBaseline
      ? `The vote beats the baseline by ${points} points.`
      : `The vote does NOT beat the baseline (${points} points).`,
  ];
}

function packageList({ packages }: CaseOutcome): string {
  const all = packages.join(" ");
  if (all.length <= PACKAGES_WIDTH) return all;
  return packages.length > 1 ? `${packages[0]} and ${packages.length - 1} more` : all;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Aligns rows in columns: the first to the left, and so whatever is not a figure. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isFigure = (cell: string): boolean => /^[\d.]+(?:\/\d+| %)?$/.test(cell);
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isFigure(cell) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
  const [head = "", ...body] = lines;
  return [head, widths.map((width) => "-".repeat(width)).join("  "), ...body];
}
