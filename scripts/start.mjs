// `npm start`: installs, builds, and runs a cluster of three nodes on this machine with the example workload.
// Arguments go to `parallax dev`: `npm start -- --exit` ends when the workload is done.

import { join } from "node:path";
import { build, install, root } from "./command.mjs";
import { runInForeground } from "./foreground.mjs";

/**
 * @param {string} title
 * @param {() => ReturnType<typeof install>} step
 */
async function prepare(title, step) {
  const startedAtMs = performance.now();
  process.stdout.write(`${title} … `);
  const { ok, output } = await step();
  if (!ok) {
    process.stdout.write(`failed\n\n${output}`);
    process.exit(1);
  }
  process.stdout.write(`${((performance.now() - startedAtMs) / 1000).toFixed(1)} s\n`);
}

await prepare("installing packages", install);
await prepare("building", build);
const args = ["dev", "--workload", "examples/license-audit", ...process.argv.slice(2)];
runInForeground(join(root, "node_modules/.bin/parallax"), args);
