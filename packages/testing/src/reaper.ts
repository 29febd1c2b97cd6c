import { type ChildProcess, spawn } from "node:child_process";

/** What is left behind when a test process dies. */
export type Leftover = { readonly pid: number } | { readonly directory: string };

/** Kills what was named and not forgotten, then removes folders. awk acts at the end of its input: when we are gone. */
const script = `
/^\\+/ { left[substr($0, 2)] = 1 }
/^-/ { delete left[substr($0, 2)] }
END {
  for (entry in left) if (entry ~ /^pid /) system("kill -9 " substr(entry, 5) " 2>/dev/null")
  for (entry in left) if (entry ~ /^dir /) system("rm -rf '" substr(entry, 5) "'")
}`;

let reaper: ChildProcess | undefined;

/**
 * Makes sure that a process or a temporary folder does not outlive this process, however this one ends: a watcher in a
 * session of its own sees its standard input close. Returns a function for when the leftover is gone already.
 */
export function reap(leftover: Leftover): () => void {
  reaper ??= startReaper();
  const entry = "pid" in leftover ? `pid ${leftover.pid}` : `dir ${leftover.directory}`;
  if (/['\n]/.test(entry)) throw new Error(`a folder of tests may not be called ${entry}`);
  const { stdin } = reaper;
  stdin?.write(`+${entry}\n`);
  return () => void stdin?.write(`-${entry}\n`);
}

function startReaper(): ChildProcess {
  const child = spawn("awk", [script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  child.unref();
  // A pipe of a child process is a socket, which keeps this process from ending unless it is told not to.
  const { stdin } = child;
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  stdin.on("error", () => {});
  return child;
}
