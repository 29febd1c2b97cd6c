import identifiers from "spdx-license-list/simple.js";

const byLowerCase: ReadonlyMap<string, string> = new Map(
  [...identifiers].map((identifier) => [identifier.toLowerCase(), identifier]),
);

/** The SPDX identifier that `name` is, whatever its case; `undefined` where it is none. */
export function spdxIdentifier(name: string): string | undefined {
  return byLowerCase.get(name.trim().toLowerCase());
}

/**
 * The identifier as far as a text can tell it. "Only" and "or later" are said beside a GNU licence, never in it, so
 * `GPL-3.0-only`, `GPL-3.0-or-later` and `GPL-3.0+` are all `GPL-3.0` here. Every other identifier stands for itself.
 */
export function canonicalLicense(identifier: string): string {
  return /^(?:[AL]?GPL|GFDL)-/.test(identifier)
    ? identifier.replace(/(?:-only|-or-later|\+)$/, "")
    : identifier;
}
