// Holds the sources to what no linter checks: the sizes of files and functions, injected time and randomness, and words
// that must not be published.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { owner, sourceFiles } from "./source-files.mjs";
import { lineAt, syntaxNodes } from "./syntax.mjs";

const maxFileLines = 350;
const maxFunctionLines = 70;

/** Suites that packages publish are tests, as long as their list of cases, and may wait in real time. */
const conformance = /\/src\/conformance(\/|\.ts$)/;

const functions = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

/** Time and chance come from a `Clock` and a `Random`, so that a whole cluster can run on a virtual clock. */
const ambient = /^(Date\.now|performance\.now|Math\.random|setTimeout|setInterval|setImmediate)$/;

/** Where the real ones are wrapped, and what only ever runs in real time. */
const realTime = [
  /^packages\/core\/src\/(system-clock|random|ids)\.ts$/,
  /^packages\/(testing|cli)\//,
  /^apps\/control-plane\/src\/dev\//,
  /^examples\//,
];

/** Words that no file may contain. Each pattern is written so that it does not match itself. */
const forbidden = [
  { pattern: /\b(?:TOD[O]|FIXM[E]|HAC[K]|XX[X])\b/, reason: "unfinished work belongs into an issue" },
  { pattern: /(?<![\w.$}-])\/(?:wor[k]|hom[e]|User[s])\/\w/, reason: "a path of one machine" },
  {
    pattern: /\bregistr[y]\.[\w.-]+\.(?:com|org|net|io|dev|internal)\b/,
    reason: "the host of a package registry",
  },
];

const text = /\.(?:[cm]?[jt]s|json|ya?ml|md|sh|toml|html|css|lua|tpl|txt|conf|cfg)$|\/(?:Dockerfile|run)$/;

/**
 * @typedef {object} Span
 * @property {number} first
 * @property {number} last
 */

/**
 * How many lines a span has, without those that lie wholly inside one of the inner spans.
 *
 * @param {Span} span
 * @param {readonly Span[]} inner
 */
function ownLines({ first, last }, inner) {
  const counted = new Set(Array.from({ length: last - first + 1 }, (_, index) => first + index));
  for (const span of inner) {
    if (span.first < first || span.last > last) continue;
    for (let line = span.first + 1; line < span.last; line += 1) counted.delete(line);
  }
  return counted.size;
}

/** @param {import("./syntax.mjs").SyntaxNode} node */
function ambientCall(node) {
  if (node.type !== "CallExpression") return undefined;
  const callee =
    /** @type {{ type: string, name?: string, object?: { name?: string }, property?: { name?: string } }} */ (
      node.callee
    );
  const name = callee.type === "Identifier" ? callee.name : `${callee.object?.name}.${callee.property?.name}`;
  return name !== undefined && ambient.test(name) ? name : undefined;
}

/**
 * @param {string} path
 * @param {string} source
 * @returns {string[]}
 */
function checkSource(path, source) {
  if (conformance.test(path)) return [];
  const nodes = [...syntaxNodes(path, source)];
  /** @param {{ start: number, end: number }} node */
  const span = ({ start, end }) => ({ first: lineAt(source, start), last: lineAt(source, end) });
  // Templates (Lua, HTML, help texts) are data. Functions inside of functions, as in a factory, are measured on their own.
  const templates = nodes.filter((node) => node.type === "TemplateLiteral").map(span);
  const bodies = new Map(nodes.filter((node) => functions.has(node.type)).map((node) => [node, span(node)]));
  /** @type {string[]} */
  const problems = [];
  const fileLines = ownLines({ first: 1, last: source.trimEnd().split("\n").length }, templates);
  if (fileLines > maxFileLines) problems.push(`${path}: ${fileLines} lines, at most ${maxFileLines}`);
  for (const node of nodes) {
    const body = bodies.get(node);
    if (body !== undefined) {
      const inner = [...bodies.values()].filter((other) => other !== body);
      const lines = ownLines(body, [...templates, ...inner]);
      if (lines > maxFunctionLines) {
        problems.push(`${path}:${body.first} function of ${lines} lines, at most ${maxFunctionLines}`);
      }
    }
    const call = realTime.some((pattern) => pattern.test(path)) ? undefined : ambientCall(node);
    if (call !== undefined) {
      problems.push(`${path}:${lineAt(source, node.start)} calls ${call}: take a Clock or a Random instead`);
    }
  }
  return problems;
}

/**
 * @param {string} path
 * @param {string} source
 * @returns {string[]}
 */
function checkWords(path, source) {
  return source.split("\n").flatMap((line, index) =>
    forbidden.flatMap(({ pattern, reason }) => {
      const word = pattern.exec(line)?.[0];
      return word === undefined ? [] : [`${path}:${index + 1} contains "${word}": ${reason}`];
    }),
  );
}

/**
 * What is wrong with the style of a source tree, one line each.
 *
 * @param {string} directory The root of the tree.
 * @returns {string[]}
 */
export function checkStyle(directory) {
  return sourceFiles(directory).flatMap((path) => {
    if (!text.test(path)) return [];
    const source = readFileSync(join(directory, path), "utf8");
    return [...(owner(path) === undefined ? [] : checkSource(path, source)), ...checkWords(path, source)];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkStyle(process.cwd());
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
