// `npm run test:deploy`: holds what operators deploy to what it is for, with the tools that will read it. Needs promtool, which
// is in Debian's package prometheus.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./command.mjs";
import { ensurePrograms } from "./programs.mjs";

const prometheus = join(root, "deploy/prometheus");
const timeoutMs = 5 * 60_000;

/**
 * Every alert has a test in which it fires, and one in which it does not.
 *
 * @returns {import("./command.mjs").Outcome}
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

/** @type {readonly (readonly [title: string, check: () => import("./command.mjs").Outcome | Promise<import("./command.mjs").Outcome>])[]} */
const checks = [
  [
    "promtool",
    () =>
      ensurePrograms(
        {
          programs: ["promtool"],
          packages: ["prometheus"],
          brew: "prometheus",
          elsewhere: "install Prometheus, which brings promtool, and put it on the PATH",
        },
        { timeoutMs },
      ),
  ],
  [
    "alerts are valid",
    () => run("promtool", ["check", "rules", "alerts.yml"], { cwd: prometheus, timeoutMs }),
  ],
  [
    "the example's configuration is valid",
    () => run("promtool", ["check", "config", "prometheus.yml"], { cwd: prometheus, timeoutMs }),
  ],
  ["every alert is tested, firing and silent", everyAlertIsTested],
  [
    "alerts fire when they should",
    () => run("promtool", ["test", "rules", "alerts.test.yml"], { cwd: prometheus, timeoutMs }),
  ],
];

let failed = 0;
for (const [title, check] of checks) {
  const { ok, output } = await check();
  console.log(`${ok ? "  ok    " : "  FAILED"} ${title}`);
  if (ok) continue;
  failed += 1;
  console.log(`\n${output.trim().replace(/^/gm, "    ")}\n`);
  if (title === "promtool") break;
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
