/** What a check came to. `note`: a choice that one should have made knowingly; `warning`: a promise is at risk. */
export type Severity = "ok" | "note" | "warning" | "error";

/** One thing that a check found. */
export interface Finding {
  /** The check: a stable name for scripts. */
  readonly check: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** Makes the findings of one check. */
export interface Reporter {
  (severity: Exclude<Severity, "ok">, message: string, remedy: string): Finding;
  ok(message: string): Finding;
}

export function findingsOf(check: string): Reporter {
  const report = (severity: Severity, message: string, remedy: string): Finding => ({
    check,
    severity,
    message,
    remedy,
  });
  return Object.assign(report, { ok: (message: string): Finding => ({ check, severity: "ok", message }) });
}

/** Names, as a list that can be read: `a, b and c`. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
