// pnpm mutate [--only TEXT]: breaks each guard of mutations.mjs in a copy, and requires that a test fails.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mutations } from "./mutations.mjs";

/** A mutant that makes the tests hang is found out as well. */
const timeoutMs = 90_000;
const suites = {
  unit: ["candidate", "holder", "election.test", "memory", "known-bugs", "health-check", "watchdog.test"],
  redis: ["redis.test", "redis-rules"],
};

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const root = join(import.meta.dirname, "../..");
const copy = mkdtempSync(join(tmpdir(), "parallax-mutants-"));
const own = join(copy, "packages/leader-election");

/** The package in a workspace of its own, whose other packages are the real ones. */
function makeCopy() {
  for (const file of ["vitest.base.ts", "tsconfig.base.json", "package.json"])
    cpSync(join(root, file), join(copy, file));
  for (const part of ["src", "test", "README.md", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    cpSync(join(import.meta.dirname, part), join(own, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  symlinkSync(join(import.meta.dirname, "node_modules"), join(own, "node_modules"));
}

/**
 * Whether the tests pass.
 *
 * @param {readonly string[]} files
 * @returns {Promise<boolean>}
 */
function testsPass(files) {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--bail=1", ...files], {
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
  const timer = setTimeout(end, timeoutMs);
  process.once("exit", end);
  return new Promise((resolve) => {
    child.once("exit", (code) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      end();
      resolve(code === 0);
    });
  });
}

/** @type {string[]} */
const survivors = [];
makeCopy();
try {
  for (const tests of /** @type {const} */ (["unit", "redis"])) {
    if (!(await testsPass(suites[tests]))) throw new Error(`the ${tests} tests fail without any mutation`);
  }
  for (const { guard, file, find, replace, tests } of mutations) {
    if (!guard.includes(values.only)) continue;
    const path = join(own, "src", file);
    const source = readFileSync(path, "utf8");
    if (source.split(find).length !== 2)
      throw new Error(`${guard}: "${find}" does not occur once in ${file}`);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    const survives = await testsPass(suites[tests]);
    writeFileSync(path, source);
    console.log(`${survives ? "SURVIVES" : "killed  "}  ${file.padEnd(18)} ${guard}`);
    if (survives) survivors.push(guard);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(survivors.length === 0 ? "every guard is needed" : `no test needs: ${survivors.join("; ")}`);
process.exitCode = survivors.length === 0 ? 0 : 1;
