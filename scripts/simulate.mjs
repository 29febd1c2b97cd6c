// In a package, pnpm sim [--seeds 1000] [--seed 1]: simulates it under faults, from the first seed on.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./command.mjs";

const { values } = parseArgs({ options: { seeds: { type: "string" }, seed: { type: "string" } } });
const seeds = values.seeds ?? (values.seed === undefined ? "1000" : "1");
const { status } = spawnSync(join(root, "node_modules/.bin/vitest"), ["run", "test/simulation"], {
  env: {
    ...process.env,
    SIM_SEEDS: seeds,
    SIM_SEED: values.seed ?? "1",
    // Most of what a step makes is garbage a step later.
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --max-semi-space-size=64`,
  },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
