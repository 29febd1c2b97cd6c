import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { root } from "../command.mjs";
import { sourceTree } from "./source-tree.ts";

/** Says how many interrupts it got, and ends with 7 half a second after the first. */
const patient = `
  let count = 0;
  process.on("SIGINT", () => {
    count += 1;
    if (count === 1) setTimeout(() => { console.log("interrupts: " + count); process.exit(7); }, 500);
  });
  setInterval(() => {}, 1_000_000);
  console.log("ready");
`;

function inForeground(source: string): {
  child: ChildProcess;
  output: () => string;
  exit: Promise<number | null>;
} {
  const directory = sourceTree({
    "program.mjs": source,
    "parent.mjs": `
      import { runInForeground } from ${JSON.stringify(join(root, "scripts/foreground.mjs"))};
      runInForeground(process.execPath, process.argv.slice(2));
    `,
  });
  const child = spawn(process.execPath, [join(directory, "parent.mjs"), join(directory, "program.mjs")]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  return { child, output: () => output, exit: new Promise((resolve) => child.once("close", resolve)) };
}

describe("a program in the foreground", () => {
  it("gets a signal that comes twice at once a single time, and its exit code is ours", async () => {
    const { child, output, exit } = inForeground(patient);
    await expect.poll(output).toContain("ready");
    child.kill("SIGINT");
    await setTimeout(50);
    child.kill("SIGINT");
    expect(await exit).toBe(7);
    expect(output()).toContain("interrupts: 1");
  });

  it("is asked to end when our terminal goes away", async () => {
    const { child, output, exit } = inForeground("setInterval(() => {}, 1_000_000); console.log('ready');");
    await expect.poll(output).toContain("ready");
    child.kill("SIGHUP");
    expect(await exit).toBe(128 + 15);
  });

  it("tells by the exit code which signal ended it", async () => {
    const { exit } = inForeground("process.kill(process.pid, 'SIGTERM');");
    expect(await exit).toBe(128 + 15);
  });
});
