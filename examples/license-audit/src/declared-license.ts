import { canonicalLicense, spdxIdentifier } from "./spdx.ts";

/** Why a declaration is no ground truth. */
export type UnusableDeclaration =
  | "not declared"
  | "several licences or an expression"
  | "refers to a file"
  | "unlicensed"
  | "not an SPDX identifier";

/** What a package.json declares, as ground truth or as the reason why it is none. */
export type DeclaredLicense =
  | { readonly usable: true; readonly license: string }
  | { readonly usable: false; readonly reason: UnusableDeclaration; readonly declared: string };

/** The two fields of a package.json that may declare a licence, unchecked. */
export interface LicenseFields {
  readonly license?: unknown;
  /** The array that npm retired in 2014 and that old packages still carry. */
  readonly licenses?: unknown;
}

/**
 * Reads the declared licence of a package.json: a string, `{ type }`, or the retired `licenses` array of either.
 * Only one plain SPDX identifier is a truth that a text can be held to; everything else is returned with its reason.
 */
export function declaredLicense(fields: LicenseFields): DeclaredLicense {
  const names = declaredNames(fields.license);
  const all = names.length > 0 ? names : declaredNames(fields.licenses);
  if (all.length > 1) return unusable("several licences or an expression", all.join(", "));
  const name = all[0];
  if (name === undefined) return unusable("not declared", "");
  return fromName(name);
}

function fromName(name: string): DeclaredLicense {
  // "(MIT)" is an expression of one operand, which says no more than "MIT".
  const plain = /^\(([^()]*)\)$/.exec(name.trim())?.[1] ?? name.trim();
  if (/^see licen[cs]e in\b/i.test(plain)) return unusable("refers to a file", name);
  if (/^unlicensed$/i.test(plain)) return unusable("unlicensed", name);
  if (/\s(?:and|or|with)\s/i.test(plain)) return unusable("several licences or an expression", name);
  const identifier = spdxIdentifier(plain);
  if (identifier === undefined) return unusable("not an SPDX identifier", name);
  return { usable: true, license: canonicalLicense(identifier) };
}

function declaredNames(value: unknown): string[] {
  if (typeof value === "string") return value.trim() === "" ? [] : [value];
  if (Array.isArray(value)) return value.flatMap(declaredNames);
  if (typeof value === "object" && value !== null && "type" in value) return declaredNames(value.type);
  return [];
}

function unusable(reason: UnusableDeclaration, declared: string): DeclaredLicense {
  return { usable: false, reason, declared };
}
