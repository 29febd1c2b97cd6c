import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { errorMessage, ParallaxError, throwIfAborted } from "@parallax/core";
import { declaredLicense, type UnusableDeclaration } from "./declared-license.ts";
import { compareText } from "./order.ts";
import { packageDirectories } from "./walk.ts";

/** A package with one plain declared licence and one licence text. */
export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** Canonical SPDX identifier, from package.json: the ground truth, which no agent gets to see. */
  readonly license: string;
  readonly text: string;
}

/** Why a package is not part of the audit. */
export type SkipReason =
  | UnusableDeclaration
  | "no licence text"
  | "several licence texts"
  | "licence text too large"
  | "package.json unreadable";

/** A package that is not part of the audit. */
export interface SkippedPackage {
  readonly package: string;
  readonly reason: SkipReason;
  /** What was found instead: the declaration, the file names, the error. */
  readonly detail: string;
}

/** Everything found under a folder, each `name@version` once, sorted. */
export interface Collection {
  readonly packages: readonly LicensedPackage[];
  readonly skipped: readonly SkippedPackage[];
}

export interface CollectOptions {
  /** A `node_modules` folder, or any folder that has some somewhere below it. */
  readonly directory: string;
  /** Texts beyond this are skipped: an agent's message is bounded. Default: 524,288 bytes. */
  readonly maxTextBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads licence texts and declared licences of the packages under a folder.
 *
 * Packages are the children of every `node_modules` (with scopes, nesting and pnpm's `.pnpm` store), by real path, so that
 * a package reached through several links counts once. A link that leads out of every `node_modules`, such as one to a
 * sibling in a workspace, is no dependency and is passed over.
 *
 * Errors: `audit_directory_unreadable`. An abort rejects with the signal's reason.
 */
export async function collectPackages(options: CollectOptions): Promise<Collection> {
  const directory = resolve(options.directory);
  const packages = new Map<string, LicensedPackage>();
  const skipped = new Map<string, SkippedPackage>();
  await readdir(directory).catch((cause: unknown) => {
    throw new ParallaxError(
      "audit_directory_unreadable",
      `reading the folder ${directory} failed (${errorMessage(cause)}); name a folder that exists and contains node_modules`,
      { cause },
    );
  });
  for await (const found of packageDirectories(directory)) {
    throwIfAborted(options.signal);
    const item = await readPackage(found, options.maxTextBytes ?? 524_288);
    if (item === undefined) continue;
    if ("reason" in item) {
      if (!packages.has(item.package)) skipped.set(item.package, item);
    } else {
      const name = `${item.name}@${item.version}`;
      if (!packages.has(name)) packages.set(name, item);
      skipped.delete(name);
    }
  }
  return { packages: sortedByKey(packages), skipped: sortedByKey(skipped) };
}

async function readPackage(
  directory: string,
  maxTextBytes: number,
): Promise<LicensedPackage | SkippedPackage | undefined> {
  const skip = (name: string, reason: SkipReason, detail: string): SkippedPackage => ({
    package: name,
    reason,
    detail,
  });
  const files = await readdir(directory).catch((): string[] => []);
  if (!files.includes("package.json")) return undefined;
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
  } catch (error) {
    return skip(basename(directory), "package.json unreadable", errorMessage(error));
  }
  if (!isManifest(manifest)) return undefined;
  const name = `${manifest.name}@${manifest.version}`;
  const declared = declaredLicense(manifest);
  if (!declared.usable) return skip(name, declared.reason, declared.declared);
  const candidates = licenseFiles(files);
  const file = candidates[0];
  if (file === undefined) return skip(name, "no licence text", "");
  if (candidates.length > 1) return skip(name, "several licence texts", candidates.join(", "));
  const path = join(directory, file);
  const { size } = await stat(path);
  if (size > maxTextBytes) return skip(name, "licence text too large", `${file}: ${size} bytes`);
  const text = await readFile(path, "utf8");
  return { name: manifest.name, version: manifest.version, license: declared.license, text };
}

/** Named like a licence, but about something else: the licences of others, the documentation's, or a program. */
const NOT_ITS_OWN = /third|3rd|part(?:y|ies)|notice|depend|\bdocs?\b|\.(?:[cm]?[jt]s|json|html?)$/i;

/** Names of licence files, the most likely first. */
const RANKS: readonly RegExp[] = [
  /^licen[cs]e(?:\.(?:md|markdown|txt|rst))?$/i,
  /^(?:un|[a-z]+[-_.])?licen[cs]e(?:[-_.][\w.-]+)?$/i,
  /^copying(?:\.(?:md|txt|lesser))?$/i,
];

/**
 * The files that may hold a package's licence, reduced to the one that does, where that can be told from the names:
 * `LICENSE` beats `LICENSE-MIT` beats `COPYING`. Several of one rank stay several.
 */
export function licenseFiles(files: readonly string[]): string[] {
  const own = files.filter((file) => !NOT_ITS_OWN.test(file)).sort(compareText);
  for (const rank of RANKS) {
    const matching = own.filter((file) => rank.test(file));
    if (matching.length > 0) return matching;
  }
  return [];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
  readonly licenses?: unknown;
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  return (
    "name" in value &&
    typeof value.name === "string" &&
    "version" in value &&
    typeof value.version === "string"
  );
}

function sortedByKey<Value>(map: ReadonlyMap<string, Value>): Value[] {
  return [...map].sort(([a], [b]) => compareText(a, b)).map(([, value]) => value);
}
