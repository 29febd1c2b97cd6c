import type { Colors } from "picocolors/types.js";
import type { Finding, Severity } from "../doctor/finding.ts";

/** One line a finding, its remedy below it, and a last line that sums up. */
export function renderFindings(findings: readonly Finding[], colors: Colors): string {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2;
  const words: Readonly<Record<Severity, string>> = {
    ok: colors.green("ok     "),
    note: colors.cyan("note   "),
    warning: colors.yellow("WARNING"),
    error: colors.red("ERROR  "),
  };
  const lines = findings.flatMap(({ check, severity, message, remedy }) => [
    `${words[severity]}  ${check.padEnd(width)}${message}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(width + 9)}→ ${remedy}`]),
  ]);
  return [...lines, "", summary(findings)].join("\n");
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length;
  const parts = [
    [count("error"), "error"],
    [count("warning"), "warning"],
    [count("note"), "note"],
  ] as const;
  const shown = parts
    .filter(([number]) => number > 0)
    .map(([number, name]) => `${number} ${name}${number === 1 ? "" : "s"}`);
  return shown.length === 0 ? "Nothing is wrong" : shown.join(", ");
}
