// pnpm faults [--runs 500] [--seed 1]: breaks Redis and its connections under load, and accounts for every change.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { runs: { type: "string" }, seed: { type: "string" } } });
const { status } = spawnSync("vitest", ["run", "test/faults"], {
  cwd: import.meta.dirname,
  env: { ...process.env, FAULT_RUNS: values.runs ?? "500", FAULT_SEED: values.seed ?? "1" },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
