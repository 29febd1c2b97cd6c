import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";

/** A process of the local cluster. */
export interface Child {
  readonly name: string;
  /** How it ended: `code 0`, `SIGKILL`. */
  readonly exited: Promise<string>;
  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface StartChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints goes to `<name>.log` in this directory. */
  readonly logDirectory: string;
}

/**
 * Starts a process in a group of its own, so that Ctrl-C reaches it through us only, in order. It is told over IPC when we are
 * gone, and what it prints goes to a file.
 */
export function startChild(options: StartChildOptions): Child {
  const { name, command, args, env = {}, logDirectory } = options;
  const child: ChildProcess = spawn(command, args, {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const log = createWriteStream(join(logDirectory, `${name}.log`));
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const exited = once(child, "exit").then(([code, signal]: (number | string | null)[]) => {
    log.end();
    return code === null ? String(signal) : `code ${code}`;
  });
  return {
    name,
    exited,
    async stop(graceMs) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const kill = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await exited;
      clearTimeout(kill);
    },
  };
}
