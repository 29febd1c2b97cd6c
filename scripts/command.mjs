import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** The package manager that `package.json` pins, without its hash: `pnpm@10.34.9`. */
const packageManager = String(
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).packageManager,
).replace(/\+.*/, "");

/** How long a program may take to end after SIGTERM. */
const graceMs = 5_000;

/** The process groups that are alive: an interrupt of ours ends them too. */
const groups = /** @type {Set<number>} */ (new Set());

const interrupts = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

function interrupted() {
  for (const group of groups) kill(group, "SIGTERM");
  process.exit(130);
}

/** @param {number} group */
function watch(group) {
  if (groups.size === 0) for (const signal of interrupts) process.on(signal, interrupted);
  groups.add(group);
}

/** @param {number} group */
function unwatch(group) {
  groups.delete(group);
  if (groups.size === 0) for (const signal of interrupts) process.off(signal, interrupted);
}

/**
 * @param {number} group
 * @param {NodeJS.Signals} signal
 */
function kill(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended by itself.
  }
}

/**
 * @typedef {object} RunOptions
 * @property {number} [timeoutMs] When the program and all that it started are ended. Default 10 minutes.
 * @property {string} [cwd] Default: the root of the repository.
 * @property {NodeJS.ProcessEnv} [env] Added to the environment.
 * @property {boolean} [show] Shows the output as it comes, instead of keeping it.
 *
 * @typedef {object} Outcome
 * @property {boolean} ok Whether it ended by itself with exit code 0.
 * @property {string} output What it wrote to stdout and stderr, if not shown.
 */

/**
 * Runs a program in a process group of its own and waits for it. Never rejects: a program that cannot be started, fails
 * or runs out of time is an outcome that is not ok, with the reason as the last line of its output.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<Outcome>}
 */
export function run(program, args, { timeoutMs = 600_000, cwd = root, env = {}, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
      detached: true,
    });
    /** @type {Buffer[]} */
    const chunks = [];
    let timedOut = false;
    const group = child.pid;
    if (group !== undefined) watch(group);
    const deadline = setTimeout(() => {
      timedOut = true;
      if (group === undefined) return;
      kill(group, "SIGTERM");
      setTimeout(() => kill(group, "SIGKILL"), graceMs).unref();
    }, timeoutMs);

    /** @param {string | undefined} reason */
    const settle = (reason) => {
      clearTimeout(deadline);
      if (group !== undefined) unwatch(group);
      const output = Buffer.concat(chunks).toString("utf8");
      resolve({ ok: reason === undefined, output: reason === undefined ? output : `${output}\n${reason}\n` });
    };
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    child.once("error", (error) => settle(`could not start ${program}: ${error.message}`));
    child.once("close", (code, signal) => {
      if (timedOut) settle(`${program} was ended after ${Math.round(timeoutMs / 1000)} s`);
      else if (code !== 0) settle(`${program} ended with ${signal ?? `exit code ${code}`}`);
      else settle(undefined);
    });
  });
}

/**
 * Runs the pinned pnpm, which need not be installed.
 *
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 */
export function pnpm(args, options) {
  return run("npx", ["--yes", packageManager, ...args], options);
}

/**
 * Installs what the lock file says.
 *
 * @param {RunOptions} [options]
 */
export function install(options) {
  return pnpm(["install", "--frozen-lockfile"], options);
}

/**
 * Builds every package, in the order of their dependencies; what has not changed comes from the cache.
 *
 * @param {RunOptions} [options]
 */
export function build(options) {
  return pnpm(["exec", "turbo", "run", "build", "--output-logs=errors-only"], {
    ...options,
    env: { TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
  });
}
