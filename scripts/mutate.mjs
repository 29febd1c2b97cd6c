// In a package, pnpm mutate [--only TEXT] [--part 1/4]: breaks each guard of its mutations.mjs in a copy, and requires that a
// test fails. Prints a table of guards and of the tests that hold them.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { lostGuards } from "./mutation.mjs";

/** @typedef {import("./mutation.mjs").Mutation} Mutation */

/** A mutant that makes the tests hang is found out as well. */
const timeoutMs = 90_000;

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, part: { type: "string", default: "1/1" } },
});
const [part = 1, parts = 1] = values.part.split("/").map(Number);
const root = join(import.meta.dirname, "..");
const origin = process.cwd();
/** @type {{ mutations: readonly Mutation[], suites: Readonly<Record<string, readonly string[]>> }} */
const { mutations, suites } = await import(pathToFileURL(join(origin, "mutations.mjs")).href);
const copy = mkdtempSync(join(tmpdir(), "parallax-mutants-"));
const own = join(copy, "packages", basename(origin));

/** The package in a workspace of its own, whose other packages are the real ones. */
function makeCopy() {
  for (const file of ["vitest.base.ts", "tsconfig.base.json", "package.json"])
    cpSync(join(root, file), join(copy, file));
  for (const entry of ["src", "test", "README.md", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    cpSync(join(origin, entry), join(own, entry), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  symlinkSync(join(origin, "node_modules"), join(own, "node_modules"));
}

/**
 * The name of a test that fails, or undefined if all pass.
 *
 * @param {readonly string[]} files
 * @returns {Promise<string | undefined>}
 */
function failingTest(files) {
  const report = join(copy, "report.json");
  rmSync(report, { force: true });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const reporter = ["--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, "run", "--bail=1", ...reporter, ...files], {
    cwd: own,
    stdio: "ignore",
    // A group of its own, so that its workers end with it.
    detached: true,
  });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, timeoutMs);
  process.once("exit", end);
  return new Promise((resolve) => {
    child.once("exit", (code) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      end();
      if (code === 0) resolve(undefined);
      else resolve(isLate ? "the tests hang" : firstFailure(report));
    });
  });
}

/**
 * @param {string} report
 * @returns {string}
 */
function firstFailure(report) {
  if (!existsSync(report)) return "the tests do not start";
  /** @type {{ testResults: { name: string, assertionResults: { status: string, title: string }[] }[] }} */
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === "failed");
    if (failed) return `${basename(name).replace(".test.ts", "")}: ${failed.title}`;
  }
  return "the tests do not load";
}

const tried = mutations.filter(
  ({ guard }, index) => guard.includes(values.only) && index % parts === part - 1,
);

/** @type {string[]} */
const survivors = [];
const lost = lostGuards(join(origin, "src"), mutations);
if (lost.length > 0) throw new Error(lost.join("\n"));
makeCopy();
try {
  for (const name of new Set(tried.map(({ tests }) => tests))) {
    const files = suites[name] ?? [];
    const failure = await failingTest(files);
    if (failure) throw new Error(`the ${name} tests fail without any mutation: ${failure}`);
  }
  console.log("| guard that was taken away | in | test that fails |\n|---|---|---|");
  for (const { guard, file, find, replace, tests } of tried) {
    const path = join(own, "src", file);
    const source = readFileSync(path, "utf8");
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    const failure = await failingTest(suites[tests] ?? []);
    writeFileSync(path, source);
    console.log(`| ${guard} | \`${file}\` | ${failure ?? "**none**"} |`);
    if (!failure) survivors.push(guard);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(survivors.length === 0 ? "\nevery guard is needed" : `\nno test needs: ${survivors.join("; ")}`);
process.exitCode = survivors.length === 0 ? 0 : 1;
