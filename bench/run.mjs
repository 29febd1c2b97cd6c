// pnpm bench <folder>/<name> [arguments]: bundles one benchmark from the sources of the workspace and runs it.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { bundle } from "../scripts/bundle.mjs";

const [name, ...args] = process.argv.slice(2);
if (!name) {
  console.error("running a benchmark: say which, such as event-bus/delivery");
  process.exit(2);
}
const { path, remove } = await bundle(join(import.meta.dirname, `${name}.ts`), {
  package: import.meta.dirname,
  external: ["ioredis", "bullmq", "socket.io", "@socket.io/*", "vitest", "esbuild"],
});
try {
  process.exitCode =
    spawnSync(process.execPath, ["--enable-source-maps", path, ...args], { stdio: "inherit" }).status ?? 1;
} finally {
  remove();
}
