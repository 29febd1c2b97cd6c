// pnpm histories [--runs 200] [--seed 1]: records histories over connections that break, and checks every one of them.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { runs: { type: "string" }, seed: { type: "string" } } });
const { status } = spawnSync(
  "vitest",
  ["run", "test/linearizability.test.ts", "test/concurrent-histories.test.ts"],
  {
    cwd: import.meta.dirname,
    env: { ...process.env, HISTORY_RUNS: values.runs ?? "200", HISTORY_SEED: values.seed ?? "1" },
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
