import { type ChildExit, startChild } from "./child.ts";
import { eventually } from "./eventually.ts";
import { endProcess } from "./redis-process.ts";

/** Options of {@link startProcess}. */
export interface ProcessOptions {
  /** What Node runs: a JavaScript file, or a TypeScript one that `bundleScript` has made into one. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to the environment of this process; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Flags of Node itself. */
  readonly nodeArgs?: readonly string[];
  readonly cwd?: string;
}

/** A Node process of the test's own, which does not outlive it. */
export interface ProcessFixture {
  readonly pid: number;
  /** What it wrote, standard output and standard error, line by line. */
  readonly lines: readonly string[];
  /** How it ended; undefined while it runs. */
  readonly exit: ChildExit | undefined;
  /** Resolves once it has ended. */
  readonly exited: Promise<ChildExit>;
  /** The first line, past or future, that matches. Rejects when the process ends before, with what it wrote last. */
  line(pattern: RegExp, options?: { readonly timeoutMs?: number }): Promise<RegExpExecArray>;
  /** Resolves once the URL answers with a status of 200 to 299. */
  answers(url: string, options?: { readonly timeoutMs?: number }): Promise<void>;
  /** SIGSTOP: it stands still, and its sockets stay open. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL after `timeoutMs` (default 10 000). Resolves with how it ended. */
  stop(options?: { readonly timeoutMs?: number }): Promise<ChildExit>;
  [Symbol.asyncDispose](): Promise<void>;
}

const defaultTimeoutMs = 15_000;
/** How much of its output an error shows. */
const shownLines = 30;

/** Starts a Node process. */
export async function startProcess(options: ProcessOptions): Promise<ProcessFixture> {
  const { script, args = [], env = {}, nodeArgs = [], cwd } = options;
  const child = await startChild({
    command: process.execPath,
    args: [...nodeArgs, script, ...args],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const withOutput = (what: string): string =>
    `${what}; the last lines of process ${child.pid}:\n${child.lines.slice(-shownLines).join("\n")}`;

  /** Waits until the process has done something, as long as it lives. */
  async function whileAlive<T extends object>(
    probe: () => T | undefined | Promise<T | undefined>,
    what: string,
    timeoutMs: number,
  ): Promise<T> {
    const look = async (): Promise<{ found: T | undefined } | undefined> => {
      const hasEnded = child.exit !== undefined;
      // What it wrote last counts too.
      if (hasEnded) await child.exited;
      const found = await probe();
      return found || hasEnded ? { found } : undefined;
    };
    const { found } = await eventually(look, { timeoutMs }).catch((error: unknown) => {
      throw new Error(withOutput(`waited ${timeoutMs} ms for ${what}`), { cause: error });
    });
    if (found) return found;
    throw new Error(withOutput(`the process ended before ${what}`));
  }

  const fixture: ProcessFixture = {
    pid: child.pid,
    lines: child.lines,
    get exit() {
      return child.exit;
    },
    exited: child.exited,
    line: (pattern, { timeoutMs = defaultTimeoutMs } = {}) =>
      whileAlive(() => firstMatch(child.lines, pattern), `a line like ${pattern}`, timeoutMs),
    async answers(url, { timeoutMs = defaultTimeoutMs } = {}) {
      await whileAlive(() => fetchOk(url), `an answer from ${url}`, timeoutMs);
    },
    pause: () => child.signal("SIGSTOP"),
    resume: () => child.signal("SIGCONT"),
    signal: (signal) => child.signal(signal),
    kill: () => endProcess(child),
    async stop({ timeoutMs = 10_000 } = {}) {
      child.signal("SIGTERM");
      // One that was paused could not act upon it.
      child.signal("SIGCONT");
      const timer = setTimeout(() => child.signal("SIGKILL"), timeoutMs);
      const exit = await child.exited;
      clearTimeout(timer);
      return exit;
    },
    async [Symbol.asyncDispose]() {
      await fixture.stop();
    },
  };
  return fixture;
}

function firstMatch(lines: readonly string[], pattern: RegExp): RegExpExecArray | undefined {
  for (const line of lines) {
    const match = new RegExp(pattern.source, pattern.flags.replace("g", "")).exec(line);
    if (match) return match;
  }
  return undefined;
}

async function fetchOk(url: string): Promise<Response | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok ? response : undefined;
}
