import type { Colors } from "picocolors/types.js";
import type { Finding, Severity } from "../doctor/finding.ts";
import { wrap } from "./wrap.ts";

/** No text is broken into lines shorter than this, in characters. */
const narrowest = 30;

/** One line a finding, more where the terminal is narrow, its remedy below it, and a last line that sums up. */
export function renderFindings(
  findings: readonly Finding[],
  colors: Colors,
  columns: number = Number.POSITIVE_INFINITY,
): string {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2;
  const left = width + 9;
  const indent = " ".repeat(left);
  const fold = (text: string, first: string, further: string): string[] => {
    const lines = wrap(text, Math.max(narrowest, columns - left - further.length));
    return lines.map((line, index) => `${index === 0 ? first : `${indent}${further}`}${line}`);
  };
  const words: Readonly<Record<Severity, string>> = {
    ok: colors.green("ok     "),
    note: colors.cyan("note   "),
    warning: colors.yellow("WARNING"),
    error: colors.red("ERROR  "),
  };
  const lines = findings.flatMap(({ check, severity, message, remedy }) => [
    ...fold(message, `${words[severity]}  ${check.padEnd(width)}`, ""),
    ...(remedy === undefined ? [] : fold(remedy, `${indent}→ `, "  ")),
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
