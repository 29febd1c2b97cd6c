import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { reap } from "./reaper.ts";

/** How a child process ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that does not outlive this process. */
export interface Child {
  readonly pid: number;
  /** What it wrote to standard output and standard error, line by line. */
  readonly lines: readonly string[];
  /** How it ended, or undefined while it runs. */
  readonly exit: ChildExit | undefined;
  /** Resolves once it has ended and all that it wrote is in `lines`. */
  readonly exited: Promise<ChildExit>;
  /** Sends a signal, if it still runs. */
  signal(signal: NodeJS.Signals): void;
  /** Called with each line from now on. */
  onLine(listener: (line: string) => void): () => void;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a program. Rejects if there is no such program. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, args, cwd, env = process.env } = options;
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const read = (stream: Readable): void => {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const listener of [...listeners]) listener(line);
    });
  };
  read(child.stdout);
  read(child.stderr);
  const exited = exitOf(child);
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  const forget = reap({ pid });
  child.once("exit", forget);
  return {
    pid,
    lines,
    get exit() {
      const { exitCode, signalCode } = child;
      return exitCode === null && signalCode === null ? undefined : { code: exitCode, signal: signalCode };
    },
    exited,
    signal: (signal) => void child.kill(signal),
    onLine(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function exitOf(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
}
