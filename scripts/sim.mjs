// pnpm sim [--seeds 1000] [--seed 1]: every simulation of the workspace, one after the other: elections, memberships, clusters.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./command.mjs";

const simulations = ["packages/leader-election", "packages/membership", "apps/control-plane"];
let failed = 0;
for (const folder of simulations) {
  console.log(`\n${folder}`);
  const run = spawnSync(process.execPath, [join(root, "scripts/simulate.mjs"), ...process.argv.slice(2)], {
    cwd: join(root, folder),
    stdio: "inherit",
  });
  if (run.status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
