// Holds the documents to what is there: relative links lead to files and headings, and commands name scripts, programs of
// the repository and benchmarks that exist.

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "./source-files.mjs";

/** What pnpm does by itself. */
const ownOfPnpm = new Set(["add", "exec", "install", "pack", "publish"]);

/**
 * The id that GitHub gives a heading.
 *
 * @param {string} heading
 */
const slug = (heading) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");

/** @param {string} document */
function anchors(document) {
  const headings = withoutFences(document).matchAll(/^#{1,6}\s+(.+)$/gm);
  /** @type {Set<string>} */
  const found = new Set();
  for (const [, heading = ""] of headings) {
    const id = slug(heading);
    let unique = id;
    for (let count = 1; found.has(unique); count += 1) unique = `${id}-${count}`;
    found.add(unique);
  }
  return found;
}

/**
 * The text with its blocks of code blank, line for line.
 *
 * @param {string} document
 */
const withoutFences = (document) =>
  document.replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2/gm, (block) => block.replace(/[^\n]/g, ""));

/**
 * @param {string} document
 * @param {number} offset
 */
const lineOf = (document, offset) => document.slice(0, offset).split("\n").length;

/**
 * @param {string} root
 * @param {string} path
 * @param {string} document
 */
function checkLinks(root, path, document) {
  const prose = withoutFences(document).replace(/`[^`\n]*`/g, (code) => " ".repeat(code.length));
  /** @type {string[]} */
  const problems = [];
  for (const { 1: target = "", index } of prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)) {
    if (/^[a-z]+:/i.test(target)) continue;
    const [file = "", anchor] = target.split("#");
    const there = file === "" ? path : posix.join(posix.dirname(path), decodeURIComponent(file));
    const full = join(root, there);
    const where = `${path}:${lineOf(document, index)} links to ${target}`;
    if (!existsSync(full)) problems.push(`${where}, which is not there`);
    else if (anchor !== undefined && statSync(full).isFile()) {
      if (!anchors(readFileSync(full, "utf8")).has(anchor))
        problems.push(`${where}, which has no such heading`);
    }
  }
  return problems;
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {Record<string, string>}
 */
function scriptsOf(root, folder) {
  const path = join(root, folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")).scripts ?? {}) : {};
}

/**
 * The nearest folder with a manifest: where a reader of a document would type its commands.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string}
 */
const packageAt = (root, folder) =>
  folder === "." || existsSync(join(root, folder, "package.json"))
    ? folder
    : packageAt(root, dirname(folder));

/**
 * @param {string} root
 * @param {string} path
 * @param {string} document
 * @param {ReadonlyMap<string, string>} folders Of the packages, by name.
 */
function checkCommands(root, path, document, folders) {
  /** @type {string[]} */
  const problems = [];
  /**
   * @param {RegExp} pattern
   * @param {(...groups: string[]) => string | false | undefined} problemOf
   */
  const each = (pattern, problemOf) => {
    for (const match of document.matchAll(pattern)) {
      const problem = problemOf(...match.slice(1).map((group) => group ?? ""));
      if (problem) problems.push(`${path}:${lineOf(document, match.index)} ${match[0].trim()}: ${problem}`);
    }
  };
  /** @type {(folder: string, script: string) => string | false} */
  const missing = (folder, script) => !(script in scriptsOf(root, folder)) && "there is no such script";
  const here = packageAt(root, dirname(path));

  each(/\bnpm run ([a-z][\w:-]*)/g, (script) => missing(".", script) && missing(here, script));
  each(
    /(?:^|[`$] ?)pnpm ([a-z][\w:-]*)/gm,
    (script) => !ownOfPnpm.has(script) && missing(here, script) && missing(".", script),
  );
  each(
    /\bpnpm (?:--filter|-F) (@parallax\/[\w-]+) (?:run )?([a-z][\w:-]*)(?: ([a-z-]+\/[a-z-]+))?/g,
    (name, script, benchmark) => {
      const folder = folders.get(name);
      if (folder === undefined) return "there is no such package";
      if (ownOfPnpm.has(script)) return undefined;
      const isBenchmark = script === "bench" && benchmark !== "";
      if (isBenchmark && !existsSync(join(root, folder, `${benchmark}.ts`)))
        return "there is no such benchmark";
      return missing(folder, script);
    },
  );
  each(
    /\bnode ((?:scripts|bench|apps|packages|examples)\/[\w/.-]+\.mjs)/g,
    (file) => !existsSync(join(root, file)) && "there is no such file",
  );
  each(
    /\bvitest (?:run )?((?:packages|apps|examples)\/[\w/.-]+)/g,
    (file) => !existsSync(join(root, file)) && "there is no such test",
  );
  each(
    /`((?:packages|apps|examples|docs|scripts|deploy|bench)\/[\w/.-]*\w)`/g,
    (file) =>
      ![file, `${file}.ts`, join(here, file)].some((there) => existsSync(join(root, there))) &&
      "there is no such file",
  );
  return problems;
}

/**
 * What is wrong with the documents below a directory, as lines for people.
 *
 * @param {string} root
 * @returns {string[]}
 */
export function checkDocs(root) {
  const files = sourceFiles(root);
  const folders = new Map(
    files
      .filter((path) => path.endsWith("/package.json"))
      .map((path) => [JSON.parse(readFileSync(join(root, path), "utf8")).name, posix.dirname(path)]),
  );
  return files
    .filter((path) => path.endsWith(".md") && !path.startsWith(".changeset/"))
    .flatMap((path) => {
      const document = readFileSync(join(root, path), "utf8");
      return [...checkLinks(root, path, document), ...checkCommands(root, path, document, folders)];
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkDocs(fileURLToPath(new URL("..", import.meta.url)));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
