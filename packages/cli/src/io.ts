import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

/** What a command sees of its process: handed in, so that tests can look at it. */
export interface Io {
  /** Writes a line of output. */
  readonly out: (line: string) => void;
  /** Writes a line for people: errors and remarks. */
  readonly err: (line: string) => void;
  /** Whether the output is a terminal: only then are there colours and screens that are drawn anew. */
  readonly isTty: boolean;
  /** Shows a line that the next one takes the place of, and none any more without `line`. Only where errors go to a terminal. */
  readonly progress?: ((line?: string) => void) | undefined;
  /** How wide the terminal is, in characters; undefined where the output is none. */
  readonly columns?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readStdin: () => Promise<string>;
  readonly readFile: (path: string) => Promise<string>;
  /** Aborts when the user interrupts. Commands that never look at it are simply ended. */
  readonly signal: AbortSignal;
}

const eraseLine = "\u001b[K";

/** The process's own. */
export function processIo(): Io {
  let interrupted: AbortSignal | undefined;
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    isTty: process.stdout.isTTY === true,
    progress: process.stderr.isTTY ? (line = "") => process.stderr.write(`\r${eraseLine}${line}`) : undefined,
    get columns() {
      return process.stdout.isTTY ? process.stdout.columns : undefined;
    },
    env: process.env,
    readStdin: () => text(process.stdin),
    readFile: (path) => readFile(path, "utf8"),
    get signal() {
      interrupted ??= interruptSignal();
      return interrupted;
    },
  };
}

/**
 * Aborts at the first SIGINT or SIGTERM; the second ends the process. The listeners stay: with none of ours left, a library
 * that listens for exits would send the first signal again.
 */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
