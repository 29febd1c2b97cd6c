import { spawn } from "node:child_process";
import { constants } from "node:os";
import { root } from "./command.mjs";

/** Signals that come closer together than this are one: the terminal's, and the copy that npm sends after it. */
const sameSignalMs = 300;

/**
 * Runs a program in place of this one: it has our input and output, gets our signals, and its exit code becomes ours.
 *
 * It runs in a session of its own, where the terminal's Ctrl-C does not reach it, so that it gets each signal once: from
 * here. Never returns.
 *
 * @param {string} program
 * @param {readonly string[]} args
 */
export function runInForeground(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: "inherit", detached: true });
  let lastSignalAtMs = Number.NEGATIVE_INFINITY;
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      const nowMs = performance.now();
      // The end of our terminal means nothing to a program in a session of its own.
      if (nowMs - lastSignalAtMs > sameSignalMs) child.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
      lastSignalAtMs = nowMs;
    });
  }
  child.once("error", (error) => {
    console.error(`could not start ${program}: ${error.message}`);
    process.exit(1);
  });
  child.once("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  });
}
