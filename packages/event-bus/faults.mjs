// pnpm faults [--runs 500] [--seed 0] [--only TEXT]: breaks Redis and its connections under load, and accounts for every event.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const string = /** @type {const} */ ({ type: "string" });
const { values } = parseArgs({ options: { runs: string, seed: string, only: string } });
const { status } = spawnSync(
  "vitest",
  ["run", "test/faults", "--reporter=verbose", "--maxConcurrency=32", "--disableConsoleIntercept"],
  {
    cwd: import.meta.dirname,
    env: {
      ...process.env,
      FAULT_RUNS: values.runs ?? "500",
      FAULT_SEED: values.seed ?? "0",
      FAULT_ONLY: values.only ?? "",
    },
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
