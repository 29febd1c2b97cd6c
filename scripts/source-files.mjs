import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";

const generated = new Set(["node_modules", "dist", "coverage", ".git", ".turbo"]);
/** What a running benchmark has bundled. */
const bundled = /^\.run-/;

/**
 * The files below a directory that people write, as paths from there with forward slashes, sorted.
 *
 * @param {string} directory
 * @returns {string[]}
 */
export function sourceFiles(directory) {
  /** @type {string[]} */
  const found = [];
  /** @param {string} current */
  const visit = (current) => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (entry.isDirectory() && !generated.has(entry.name) && !bundled.test(entry.name)) visit(path);
      else if (entry.isFile()) found.push(relative(directory, path).split(sep).join("/"));
    }
  };
  visit(directory);
  return found.sort();
}

/**
 * Where a TypeScript file belongs, if it is part of what a package ships: `packages/core/src/clock.ts` is in package
 * `core`. Tests and configuration are not.
 *
 * @param {string} path
 * @returns {{ folder: string, name: string } | undefined}
 */
export function owner(path) {
  const match = /^((?:packages|apps|examples)\/([^/]+))\/src\/.+\.ts$/.exec(path);
  return match?.[1] !== undefined && match[2] !== undefined
    ? { folder: match[1], name: match[2] }
    : undefined;
}
