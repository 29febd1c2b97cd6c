import { createHash } from "node:crypto";
import type { LicensedPackage } from "./collect.ts";
import { compareText } from "./order.ts";

/** One unique text to classify. */
export interface LicenseCase {
  /** Hexadecimal SHA-256 of the text with its white space normalised: the same text has the same id on every machine. */
  readonly id: string;
  readonly text: string;
  /** The licence that the packages with this text declare; where they differ, most of them. */
  readonly truth: string;
  /** `name@version` of every package with this text, sorted. */
  readonly packages: readonly string[];
}

/** A text whose packages declare different licences. */
export interface TruthConflict {
  readonly id: string;
  /** How many packages declare which licence. */
  readonly declared: Readonly<Record<string, number>>;
  readonly truth: string;
}

/** The cases of an audit, sorted by id, and the texts whose ground truth was contested. */
export interface CaseSet {
  readonly cases: readonly LicenseCase[];
  readonly conflicts: readonly TruthConflict[];
}

/**
 * Groups packages by their text. Texts that differ in white space only are one case. A contested text takes the licence
 * that most of its packages declare (of equally many, the first in alphabetical order) and is listed under `conflicts`.
 */
export function groupByText(packages: readonly LicensedPackage[]): CaseSet {
  const groups = new Map<string, LicensedPackage[]>();
  for (const item of packages) {
    const id = textId(item.text);
    groups.set(id, [...(groups.get(id) ?? []), item]);
  }
  const cases: LicenseCase[] = [];
  const conflicts: TruthConflict[] = [];
  for (const [id, members] of [...groups].sort(([a], [b]) => compareText(a, b))) {
    const declared = countDeclared(members);
    const truth = mostDeclared(declared);
    const names = members.map(({ name, version }) => `${name}@${version}`).sort(compareText);
    cases.push({ id, text: members[0]?.text ?? "", truth, packages: names });
    if (declared.size > 1) conflicts.push({ id, declared: Object.fromEntries(declared), truth });
  }
  return { cases, conflicts };
}

/** Identity of a text, blind to how it is wrapped and indented. */
export function textId(text: string): string {
  return createHash("sha256").update(text.replace(/\s+/g, " ").trim()).digest("hex");
}

function countDeclared(members: readonly LicensedPackage[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { license } of [...members].sort((a, b) => compareText(a.license, b.license))) {
    counts.set(license, (counts.get(license) ?? 0) + 1);
  }
  return counts;
}

function mostDeclared(counts: ReadonlyMap<string, number>): string {
  let best = { license: "", count: 0 };
  for (const [license, count] of counts) {
    if (count > best.count) best = { license, count };
  }
  return best.license;
}
