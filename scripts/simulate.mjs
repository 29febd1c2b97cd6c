// In a package, pnpm sim [--seeds 1000] [--seed 1]: simulates it under faults, from the first seed on. A package whose histories
// are played by a program of its own, test/simulation/run.ts, has that program run; the others have their tests run.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { root } from "./command.mjs";

// Most of what a step makes is garbage a step later.
const nodeOptions = "--max-semi-space-size=64";

/** @param {readonly string[]} args */
async function runProgram(args) {
  const { path, remove } = await bundle(join(process.cwd(), "test/simulation/run.ts"));
  try {
    const node = ["--enable-source-maps", nodeOptions, ...process.execArgv];
    return spawnSync(process.execPath, [...node, path, ...args], { stdio: "inherit" }).status ?? 1;
  } finally {
    remove();
  }
}

function runTests() {
  const { values } = parseArgs({ options: { seeds: { type: "string" }, seed: { type: "string" } } });
  const seeds = values.seeds ?? (values.seed === undefined ? "1000" : "1");
  const { status } = spawnSync(join(root, "node_modules/.bin/vitest"), ["run", "test/simulation"], {
    env: {
      ...process.env,
      SIM_SEEDS: seeds,
      SIM_SEED: values.seed ?? "1",
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} ${nodeOptions}`,
    },
    stdio: "inherit",
  });
  return status ?? 1;
}

process.exitCode = existsSync("test/simulation/run.ts")
  ? await runProgram(process.argv.slice(2))
  : runTests();
