// `npm test`: installs, runs every gate and every test, and ends with one line: "N passed, N failed".
// Each gate and each test counts as one. The tests of CI are these, no more and no less.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, install, root, run } from "./command.mjs";
import { ensurePostgres, ensureRedis } from "./servers.mjs";

/** Everything together takes no longer. */
const timeLimitMs = 15 * 60_000;

/** On these at least one test must have passed, or else something has switched a backend off. */
const requiredBackends = ["memory", "redis-standalone", "redis-sentinel", "redis-cluster"];

const startedAtMs = performance.now();
const remainingMs = () => Math.max(1, timeLimitMs - (performance.now() - startedAtMs));
const directory = mkdtempSync(join(tmpdir(), "parallax-test-"));
const count = { passed: 0, failed: 0 };

/** @typedef {import("./command.mjs").Outcome & { note?: string }} Outcome */

/**
 * @param {boolean} ok
 * @param {string} title
 * @param {number} since
 * @param {string} [note]
 */
function line(ok, title, since, note) {
  const seconds = ((performance.now() - since) / 1000).toFixed(1).padStart(6);
  console.log(`${ok ? "  ok    " : "  FAILED"} ${title.padEnd(32)}${seconds} s${note ? `   ${note}` : ""}`);
}

/**
 * Runs one gate and writes its line; the output follows only where it failed.
 *
 * @param {string} title
 * @param {() => Outcome | Promise<Outcome>} check
 */
async function gate(title, check) {
  const since = performance.now();
  const { ok, output, note } = await check();
  count[ok ? "passed" : "failed"] += 1;
  line(ok, title, since, note);
  if (!ok) console.log(`\n${output.trim().replace(/^/gm, "    ")}\n`);
  return ok;
}

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
const tool = (name, ...args) =>
  run(join(root, "node_modules/.bin", name), args, { timeoutMs: remainingMs() });

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
const script = (name, ...args) =>
  run(process.execPath, [join(root, "scripts", name), ...args], { timeoutMs: remainingMs() });

async function types() {
  const sources = await tool("tsc", "--noEmit", "--pretty", "false");
  return sources.ok ? tool("tsc", "--pretty", "false", "-p", "scripts") : sources;
}

/** Checks of the code itself; none depends on another. */
async function sourceGates() {
  await gate("lint", () => tool("biome", "check", "--error-on-warnings", "--colors=off"));
  await gate("types", types);
  await gate("import direction", () => script("check-imports.mjs"));
  await gate("style", () => script("check-style.mjs"));
  await gate("documents", () => script("check-docs.mjs"));
  await gate("unused code and dependencies", () =>
    tool("knip", "--no-progress", "--treat-config-hints-as-errors"),
  );
}

/** Checks of what users get; each stands on the one before. */
async function packageGates() {
  /** @type {[string, () => Promise<Outcome>][]} */
  const gates = [
    ["build", () => build({ timeoutMs: remainingMs() })],
    ["packages (publint, attw)", () => script("check-packages.mjs", "lint", directory)],
    ["packages installed and used", () => script("check-packages.mjs", "use", directory)],
  ];
  let ready = true;
  for (const [title, check] of gates) {
    const missing = { ok: false, output: "not run, because the gate before it failed" };
    ready = await gate(title, () => (ready ? check() : missing));
  }
}

/** @returns {Promise<import("./vitest-reporter.mjs").Summary>} */
async function tests() {
  const since = performance.now();
  const file = join(directory, "summary.json");
  const { ok } = await run(
    join(root, "node_modules/.bin/vitest"),
    ["run", "--silent=passed-only", "--reporter=./scripts/vitest-reporter.mjs"],
    { timeoutMs: remainingMs(), env: { PARALLAX_TEST_SUMMARY: file }, show: true },
  );
  /** @type {import("./vitest-reporter.mjs").Summary} */
  const summary = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : { passed: 0, failed: 0, skipped: [], backends: {} };
  // A run that ends badly without a failed test was cut off, or has failed as a whole.
  if (!ok && summary.failed === 0) summary.failed = 1;
  line(summary.failed === 0, "tests", since, `${summary.passed} passed, ${summary.failed} failed`);
  return summary;
}

/** @param {import("./vitest-reporter.mjs").Summary} summary */
async function testGates({ skipped, backends }) {
  await gate("no skipped tests", () => ({ ok: skipped.length === 0, output: skipped.join("\n") }));
  const idle = requiredBackends.filter((backend) => !backends[backend]);
  await gate("every required backend ran", () => ({
    ok: idle.length === 0,
    output: `no tests on: ${idle.join(", ")}`,
  }));
}

/** @param {Record<string, number>} backends */
function printBackends(backends) {
  const names = [...new Set([...requiredBackends, ...Object.keys(backends).sort()])];
  console.log("\nTests by backend");
  for (const name of names) console.log(`  ${name.padEnd(20)}${String(backends[name] ?? 0).padStart(6)}`);
}

async function main() {
  console.log(`Node ${process.version}`);
  if (!(await gate("install", () => install({ timeoutMs: remainingMs() })))) return;
  if (!(await gate("redis", () => ensureRedis({ timeoutMs: remainingMs() })))) return;
  if (!(await gate("postgresql", () => ensurePostgres({ timeoutMs: remainingMs() })))) return;
  await sourceGates();
  await packageGates();
  const summary = await tests();
  await testGates(summary);
  count.passed += summary.passed;
  count.failed += summary.failed;
  printBackends(summary.backends);
}

try {
  await main();
} catch (error) {
  count.failed += 1;
  console.error(error);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.log(`\n${Math.round((performance.now() - startedAtMs) / 1000)} s`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;
