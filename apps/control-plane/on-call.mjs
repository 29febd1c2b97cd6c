// pnpm on-call [NAME]: makes each trouble of the runbooks on purpose, and looks whether status, doctor, metrics and alerts name
// it. Needs a build, Redis, and Prometheus (on Debian: apt-get install prometheus).

import { spawnSync } from "node:child_process";

const [name] = process.argv.slice(2);
const { status, error } = spawnSync(
  "vitest",
  [
    "run",
    "--config",
    "vitest.on-call.ts",
    "--reporter=verbose",
    "--disableConsoleIntercept",
    ...(name ? ["-t", name] : []),
  ],
  { cwd: import.meta.dirname, stdio: "inherit" },
);
if (error) console.error(`starting vitest: ${error.message}; run this by pnpm, which finds it`);
process.exitCode = status ?? 1;
