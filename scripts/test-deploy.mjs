// `npm run test:deploy`: holds what operators deploy to what it is for, with the tools that will read it, and runs of it what can
// run here. Ends with one line: "N passed, N failed".
//
//   npm run test:deploy             all of it
//   npm run test:deploy -- chart    the checks whose titles have the word

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, install, root, run } from "./command.mjs";
import {
  checkConfigs,
  checkRefusals,
  checkRenderedChart,
  checkVersions,
  lintChart,
} from "./deploy/charts.mjs";
import { checkBalancers, checkCompose, checkComposePattern } from "./deploy/compose.mjs";
import { checkDockerfile } from "./deploy/dockerfile.mjs";
import { checkBase, checkOverlays } from "./deploy/manifests.mjs";
import { checkPromises } from "./deploy/promises.mjs";
import { checkRedisScripts } from "./deploy/redis-chart.mjs";
import { runUnit, verifyUnit } from "./deploy/systemd.mjs";
import { fetchTools } from "./deploy/tools.mjs";
import { ensurePrograms } from "./programs.mjs";
import { ensureRedis } from "./servers.mjs";

/** @typedef {import("./command.mjs").Outcome} Outcome */

const prometheus = join(root, "deploy/prometheus");
const timeoutMs = 5 * 60_000;

/**
 * Every alert has a test in which it fires, and one in which it does not.
 *
 * @returns {Outcome}
 */
function everyAlertIsTested() {
  const read = (/** @type {string} */ name) => readFileSync(join(prometheus, name), "utf8");
  const alerts = [...read("alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => String(name));
  const tests = read("alerts.test.yml").split("\n");
  const silent = (/** @type {string} */ name) =>
    tests.some((line) => line.includes(`alertname: ${name},`) && line.includes("exp_alerts: []"));
  const firing = (/** @type {string} */ name) =>
    tests.some((line, at) => line.endsWith(`alertname: ${name}`) && tests[at + 2]?.trim() === "exp_alerts:");
  const missing = alerts.flatMap((name) => [
    ...(silent(name) ? [] : [`${name} has no test in which it is silent`]),
    ...(firing(name) ? [] : [`${name} has no test in which it fires`]),
  ]);
  return { ok: alerts.length > 0 && missing.length === 0, output: `${missing.join("\n")}\n` };
}

/** @param {readonly string[]} args */
const promtool = (...args) => run("promtool", args, { cwd: prometheus, timeoutMs });

/** Nodes that are killed and drained behind a load balancer, shortly: `npm run test:agents` takes as long as one likes. */
const shortRun = [
  "--seconds",
  "12",
  "--agents",
  "60",
  "--rate",
  "8",
  "--minWork",
  "500",
  "--maxWork",
  "3000",
];

/**
 * With every connection to any node, and with those of an address kept together; both at once.
 *
 * @param {string} balancer
 * @returns {Promise<Outcome>}
 */
async function behindBalancer(balancer) {
  const outcomes = await Promise.all(
    [[], ["--sticky"]].map((sticky) =>
      run(
        process.execPath,
        ["bench/run.mjs", "agents/behind-balancer", "--balancer", balancer, ...shortRun, ...sticky],
        {
          timeoutMs,
        },
      ),
    ),
  );
  return outcomes.find(({ ok }) => !ok) ?? { ok: true, output: "" };
}

/** What the checks need, and without which none of them is run. */
const preparations = /** @type {readonly (readonly [title: string, prepare: () => Promise<Outcome>])[]} */ ([
  ["install", () => install({ timeoutMs })],
  ["build", () => build({ timeoutMs })],
  ["redis", () => ensureRedis({ timeoutMs })],
  [
    "programs",
    () =>
      ensurePrograms(
        {
          programs: ["promtool", "haproxy", "nginx", "docker-compose", "systemd-analyze", "unzip", "git"],
          packages: ["prometheus", "haproxy", "nginx", "docker-compose", "systemd", "unzip", "git"],
          brew: "prometheus haproxy nginx docker-compose",
          elsewhere:
            "install Prometheus, HAProxy, nginx, docker-compose, systemd and unzip, and put them on the PATH",
        },
        { timeoutMs },
      ),
  ],
  ["helm, kubectl, schemas", fetchTools],
]);

const checks =
  /** @type {readonly (readonly [title: string, check: () => Outcome | Promise<Outcome>])[]} */ ([
    ["alerts are valid", () => promtool("check", "rules", "alerts.yml")],
    ["the example's configuration is valid", () => promtool("check", "config", "prometheus.yml")],
    ["every alert is tested, firing and silent", everyAlertIsTested],
    ["alerts fire when they should", () => promtool("test", "rules", "alerts.test.yml")],
    ["chart: lint", lintChart],
    ["chart: objects as Kubernetes has them", checkRenderedChart],
    ["chart, manifests: what is promised by name", checkPromises],
    ["chart: wrong values are refused", checkRefusals],
    ["chart: nodes understand their configuration", checkConfigs],
    ["chart: versioned with the program", checkVersions],
    ["chart: Redis keeps its data, run as in its containers", checkRedisScripts],
    ["manifests are those of the chart", checkBase],
    ["manifests: kustomize, objects as Kubernetes has them", checkOverlays],
    ["compose: files", checkCompose],
    ["compose: the example's pattern", checkComposePattern],
    ["load balancers: files", checkBalancers],
    ["haproxy: nodes killed and drained, sticky and not", () => behindBalancer("haproxy")],
    ["nginx: nodes killed and drained, sticky and not", () => behindBalancer("nginx")],
    ["systemd: unit", verifyUnit],
    ["systemd: command line", runUnit],
    ["Dockerfile: built step by step, and run", checkDockerfile],
  ]);

const [wanted = ""] = process.argv.slice(2);
const startedAtMs = performance.now();
const count = { passed: 0, failed: 0 };

/**
 * @param {string} title
 * @param {() => Outcome | Promise<Outcome>} check
 */
async function gate(title, check) {
  const since = performance.now();
  const { ok, output } = await Promise.resolve()
    .then(check)
    .catch((error) => ({ ok: false, output: String(error?.stack ?? error) }));
  count[ok ? "passed" : "failed"] += 1;
  const seconds = ((performance.now() - since) / 1000).toFixed(1).padStart(6);
  console.log(`${ok ? "  ok    " : "  FAILED"} ${title.padEnd(56)}${seconds} s`);
  if (!ok) console.log(`\n${output.trim().replace(/^/gm, "    ")}\n`);
  return ok;
}

let ready = true;
for (const [title, prepare] of preparations) ready = ready && (await gate(title, prepare));
if (ready)
  for (const [title, check] of checks.filter(([name]) => name.includes(wanted))) await gate(title, check);
console.log(`\n${Math.round((performance.now() - startedAtMs) / 1000)} s`);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;
