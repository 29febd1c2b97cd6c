// Holds the sources to the direction of imports in import-rules.mjs, and each package to imports without cycles.

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import {
  allowedImports,
  allowedTypeImports,
  exampleImports,
  redisBackend,
  valueImports,
} from "./import-rules.mjs";
import { owner, sourceFiles } from "./source-files.mjs";
import { lineAt, syntaxNodes } from "./syntax.mjs";

/**
 * @typedef {object} Import
 * @property {string} from The importing file, as a path from the root.
 * @property {number} line
 * @property {string} specifier
 * @property {boolean} typeOnly Whether nothing of it is left at run time.
 */

/**
 * @param {import("./syntax.mjs").SyntaxNode} node
 * @returns {{ specifier: string, typeOnly: boolean } | undefined}
 */
function importOf(node) {
  const source = /** @type {{ value?: unknown } | null | undefined} */ (node.source);
  if (typeof source?.value !== "string") return undefined;
  const kind = node.importKind ?? node.exportKind ?? (node.type === "TSImportType" ? "type" : "value");
  const names = /** @type {{ importKind?: string, exportKind?: string }[]} */ (node.specifiers ?? []);
  const typeNames = names.filter((name) => (name.importKind ?? name.exportKind) === "type");
  const typeOnly = kind === "type" || (names.length > 0 && typeNames.length === names.length);
  return { specifier: source.value, typeOnly };
}

/**
 * @param {string} path
 * @param {string} source
 * @returns {Import[]}
 */
function importsOf(path, source) {
  return [...syntaxNodes(path, source)].flatMap((node) => {
    const found = importOf(node);
    return found === undefined ? [] : [{ from: path, line: lineAt(source, node.start), ...found }];
  });
}

/**
 * The rule that an import breaks, or undefined.
 *
 * @param {Import} imported
 * @returns {string | undefined}
 */
function brokenRule({ from, specifier, typeOnly }) {
  const self = owner(from);
  if (self === undefined) return undefined;
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(from), specifier);
    return target.startsWith(`${self.folder}/src/`)
      ? undefined
      : "a relative import stays inside its package's src";
  }
  const workspace = /^@parallax\/([^/]+)/.exec(specifier)?.[1];
  if (workspace === self.name) return "a package imports its own files by relative path";
  if (workspace !== undefined) {
    const values = self.folder.startsWith("examples/") ? exampleImports : (allowedImports[self.name] ?? []);
    const isOfRedis = workspace === "redis" && redisBackend.packages.includes(self.name) && !typeOnly;
    if (isOfRedis && !redisBackend.files.test(from))
      return "values of redis are for its backend, in redis*.ts";
    if (values.includes(workspace)) return undefined;
    const types = allowedTypeImports[self.name] ?? [];
    if (types.includes(workspace))
      return typeOnly ? undefined : `${self.name} imports only types of ${workspace}`;
    return `${self.name} imports only ${[...values, ...types].join(", ") || "nothing"}`;
  }
  const importers = valueImports[specifier];
  if (importers === undefined || typeOnly || importers.includes(self.name)) return undefined;
  if (self.folder.startsWith("examples/")) return undefined;
  return `values of ${specifier} are imported only by ${importers.join(", ")}`;
}

/**
 * One cycle of each knot of files that import each other. Types may refer to each other: nothing of that is left at run
 * time.
 *
 * @param {readonly Import[]} imports
 * @returns {string[][]}
 */
function cycles(imports) {
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  for (const { from, specifier, typeOnly } of imports) {
    if (typeOnly || !specifier.startsWith(".")) continue;
    graph.set(from, [...(graph.get(from) ?? []), posix.join(posix.dirname(from), specifier)]);
  }
  /** @type {string[][]} */
  const found = [];
  const done = new Set();
  /** @param {readonly string[]} path */
  const visit = (path) => {
    const file = /** @type {string} */ (path.at(-1));
    for (const next of graph.get(file) ?? []) {
      const start = path.indexOf(next);
      if (start !== -1) found.push([...path.slice(start), next]);
      else if (!done.has(next)) visit([...path, next]);
    }
    done.add(file);
  };
  for (const file of graph.keys()) if (!done.has(file)) visit([file]);
  return found;
}

/**
 * What is wrong with the imports of a source tree, one line each.
 *
 * @param {string} directory The root of the tree.
 * @returns {string[]}
 */
export function checkImports(directory) {
  const paths = sourceFiles(directory).filter((path) => owner(path) !== undefined);
  const imports = paths.flatMap((path) => importsOf(path, readFileSync(join(directory, path), "utf8")));
  const broken = imports.flatMap((imported) => {
    const rule = brokenRule(imported);
    return rule === undefined
      ? []
      : [`${imported.from}:${imported.line} imports "${imported.specifier}": ${rule}`];
  });
  return [...broken, ...cycles(imports).map((cycle) => `import cycle: ${cycle.join(" -> ")}`)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkImports(process.cwd());
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
