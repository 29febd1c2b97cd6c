// How long `parallax ha status` takes from its start to its end, beside Node alone. Measures what the build has made.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { HaStatus } from "@parallax/protocol";
import { check, options, quantile } from "../agents/options.ts";

const { starts } = options({ starts: 20 });
const root = join(process.cwd(), process.cwd().endsWith("bench") ? ".." : ".");

const observedAt = new Date().toISOString();
const status: HaStatus = {
  clusterId: "production",
  members: [0, 1, 2].map((index) => ({
    id: `parallax-control-plane-${index}`,
    address: `10.0.0.${index}:8080`,
    role: index === 0 ? "leader" : "standby",
    status: "healthy",
    lastHeartbeat: observedAt,
  })),
  observedAt,
  nodeId: "parallax-control-plane-0",
  enabled: true,
};
const server = createServer((_, response) => {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(status));
}).listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;

/** From its start to its end, in milliseconds. */
async function run(args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...args], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`node ${args.join(" ")} ended with code ${code}`);
  return performance.now() - startedMs;
}

async function measure(title: string, args: readonly string[]): Promise<number> {
  // The first one reads the files from the disk.
  await run(args);
  const took: number[] = [];
  for (let start = 0; start < starts; start += 1) took.push(await run(args));
  const median = quantile(took, 0.5);
  console.log(
    `${title}: median ${median.toFixed(0)} ms, best ${Math.min(...took).toFixed(0)}, worst ${Math.max(...took).toFixed(0)} (${starts} starts, Node ${process.versions.node})`,
  );
  return median;
}

await measure("node alone", ["--eval", "0"]);
for (const [name, folder] of [
  ["@parallax/cli", "packages/cli"],
  ["@parallax/control-plane", "apps/control-plane"],
] as const) {
  const bin = join(root, folder, "bin/parallax.js");
  if (!existsSync(join(root, folder, "dist/bin.js"))) throw new Error(`${name} is not built; run pnpm build`);
  const median = await measure(`parallax ha status of ${name}`, [bin, "ha", "status", "--url", url]);
  check(`parallax ha status of ${name} takes less than 200 ms`, median < 200, `${median.toFixed(0)} ms`);
}
server.close();
