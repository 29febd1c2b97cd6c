// `npm start`: installs, builds, and runs a cluster of three nodes on this machine with the example workload.
// Arguments go to `parallax dev`: `npm start -- --exit` ends when the workload is done.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { build, install, root } from "./command.mjs";

/** Signals that come closer together than this are one: the terminal's, and the copy that npm sends after it. */
const sameSignalMs = 300;

/**
 * @param {string} title
 * @param {() => ReturnType<typeof install>} step
 */
async function prepare(title, step) {
  const startedAtMs = performance.now();
  process.stdout.write(`${title} … `);
  const { ok, output } = await step();
  if (!ok) {
    process.stdout.write(`failed\n\n${output}`);
    process.exit(1);
  }
  process.stdout.write(`${((performance.now() - startedAtMs) / 1000).toFixed(1)} s\n`);
}

/** @param {readonly string[]} args */
function dev(args) {
  const program = join(root, "node_modules/.bin/parallax");
  // In a session of its own the terminal's Ctrl-C does not reach it, so that it gets each signal once: from here.
  const child = spawn(program, ["dev", "--workload", "examples/license-audit", ...args], {
    cwd: root,
    stdio: "inherit",
    detached: true,
  });
  let lastSignalAtMs = Number.NEGATIVE_INFINITY;
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (nowMs - lastSignalAtMs > sameSignalMs) child.kill(signal);
      lastSignalAtMs = nowMs;
    });
  }
  child.once("error", (error) => {
    console.error(`could not start ${program}: ${error.message}`);
    process.exitCode = 1;
  });
  child.once("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}

await prepare("installing packages", install);
await prepare("building", build);
dev(process.argv.slice(2));
