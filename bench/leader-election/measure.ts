import { parseArgs } from "node:util";
import type { Candidate, Subject } from "./subjects.ts";

/** Numbers from the command line: `--rounds 30`. */
export function numbers<Names extends string>(
  defaults: Readonly<Record<Names, number>>,
): Record<Names, number> {
  const names = Object.keys(defaults);
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const result: Record<Names, number> = { ...defaults };
  for (const name in defaults) if (typeof values[name] === "string") result[name] = Number(values[name]);
  return result;
}

/** The value below which a share `q` of the numbers lies. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `find` finds something; undefined after `limitMs`. */
export async function within<T>(limitMs: number, find: () => T | undefined): Promise<T | undefined> {
  for (const until = performance.now() + limitMs; performance.now() < until; await pause(1)) {
    const found = find();
    if (found !== undefined) return found;
  }
  return undefined;
}

export function leaderOf(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.find((candidate) => candidate.leads());
}

/** Three candidates, one of which leads. */
export async function startThree(subject: Subject, url: string, leaseMs: number): Promise<Candidate[]> {
  const ids = ["a", "b", "c"];
  const candidates = await Promise.all(ids.map((id) => subject.start(url, id, leaseMs)));
  if (!(await within(10 * leaseMs, () => leaderOf(candidates))))
    throw new Error(`${subject.name}: nobody leads`);
  return candidates;
}
