// pnpm bench <folder>/<name> [arguments]: bundles one benchmark from the sources of the workspace and runs it.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const [name, ...args] = process.argv.slice(2);
if (!name) {
  console.error("running a benchmark: say which, such as event-bus/delivery");
  process.exit(2);
}
// Beside the sources, so that packages which stay outside the bundle are found.
const directory = mkdtempSync(join(import.meta.dirname, ".run-"));
const outfile = join(directory, "bench.mjs");
try {
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@parallax/source"],
    // Bundled CommonJS modules ask for modules of Node.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    external: ["ioredis", "bullmq", "socket.io", "@socket.io/*", "vitest", "esbuild"],
    logLevel: "warning",
  });
  process.exitCode =
    spawnSync(process.execPath, ["--enable-source-maps", outfile, ...args], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
