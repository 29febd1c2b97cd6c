// The licence audit in a loop while nodes die: every 10 s a random one of three real nodes gets SIGKILL, and is started again
// after 2 s. Each report has to equal the undisturbed one but for its times. Everything at its defaults.
// `--seconds 180 --every 10 --down 2 --seed 1`

import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "@parallax/core";
import {
  bundleScript,
  createTemporaryDirectory,
  freePort,
  type ProcessFixture,
  startProcess,
  startRedis,
} from "@parallax/testing";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "180" },
    every: { type: "string", default: "10" },
    down: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
  },
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
// The bundle of a benchmark lies in bench/.run-…
const root = join(import.meta.dirname, "../..");
const audit = join(root, "examples/license-audit");
const random = seededRandom(Number(options.seed));

const [nodeScript, auditScript, directory, redis] = await Promise.all([
  bundleScript(join(root, "bench/executions/parallax-node.ts")),
  bundleScript(join(audit, "src/main.ts")),
  createTemporaryDirectory("chaos"),
  startRedis(),
]);
const ports = await Promise.all([0, 1, 2].map(() => freePort()));
const urls = ports.map((port) => `http://127.0.0.1:${port}`);
const nodes = new Map<number, ProcessFixture>();

async function startNode(index: number): Promise<void> {
  const env = {
    // The bundle lies elsewhere, and a node looks for its own package.
    NODE_PATH: join(root, "bench/node_modules"),
    PARALLAX_HA_ENABLED: "true",
    PARALLAX_REDIS_URL: redis.url,
    PARALLAX_PORT: String(ports[index]),
    PARALLAX_NODE_ID: `node-${index}`,
    PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${ports[index]}`,
  };
  nodes.set(index, await startProcess({ script: nodeScript.path, env, cwd: directory.path }));
}

/** The answers of a text come in the order of its tasks, which is chance: two reports are compared without it. */
function sorted(_: string, part: unknown): unknown {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
  return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const reportShape = (
  text: string,
): { readonly report: string; readonly tookMs: number; readonly texts: number } => {
  const { elapsedMs, executionsPerSecond: _, ...rest } = JSON.parse(text);
  return { report: JSON.stringify(rest, sorted), tookMs: elapsedMs, texts: rest.texts };
};

async function runAudit(): Promise<ReturnType<typeof reportShape>> {
  const args = [join(root, "node_modules"), "--json"];
  const run = await startProcess({ script: auditScript.path, args, env: { PARALLAX_URL: urls.join() } });
  const { code } = await run.exited;
  const text = run.lines.join("\n");
  if (code !== 0) throw new Error(`the audit ended with ${code}:\n${text.slice(-2000)}`);
  return reportShape(text.slice(text.indexOf("{")));
}

await Promise.all([0, 1, 2].map(startNode));
await Promise.all([...nodes.values()].map((node, index) => node.answers(`${urls[index]}/health/ready`)));
const pattern = { capabilities: ["classification"], agents: { min: 3, max: 3 }, timeout: "30s", retries: 2 };
await fetch(`${urls[0]}/api/patterns/content-classifier`, {
  method: "PUT",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ ...pattern, aggregate: { strategy: "majority" } }),
});
for (const name of ["similarity", "phrases", "structure"]) {
  const script = await bundleScript(join(audit, `src/agents/${name}.ts`));
  await startProcess({ script: script.path, env: { PARALLAX_URL: urls.join() } });
}

const undisturbed = await runAudit();
console.log(`undisturbed: ${undisturbed.texts} texts in ${Math.round(undisturbed.tookMs)} ms`);
const untilMs = performance.now() + Number(options.seconds) * 1000;
let kills = 0;

async function keepKilling(): Promise<void> {
  while (performance.now() < untilMs) {
    await pause(Number(options.every) * 1000);
    const index = Math.floor(random.next() * 3);
    await nodes.get(index)?.kill();
    kills += 1;
    await pause(Number(options.down) * 1000);
    await startNode(index);
  }
}

const killing = keepKilling();
const reports: { readonly equal: boolean; readonly tookMs: number }[] = [];
while (performance.now() < untilMs) {
  const { report, tookMs } = await runAudit();
  const equal = report === undisturbed.report;
  reports.push({ equal, tookMs });
  console.log(
    `audit ${reports.length}: ${equal ? "equal" : "DIFFERENT"}, ${Math.round(tookMs)} ms, ${kills} kills so far`,
  );
  if (!equal) console.log(report.slice(0, 2000));
}
await killing;
const different = reports.filter(({ equal }) => !equal).length;
const longest = Math.max(...reports.map(({ tookMs }) => tookMs));
console.log(
  `${kills} kills in ${options.seconds} s; ${reports.length} audits of ${undisturbed.texts} texts, ${different} different; the longest took ${Math.round(longest)} ms`,
);
process.exit(different === 0 ? 0 : 1);
