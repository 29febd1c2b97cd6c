// The chart, on every Helm, with every file of values in its `ci`; and what it refuses.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { root, run } from "../command.mjs";
import { checkObjects, parseObjects } from "./objects.mjs";
import { helms } from "./tools.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */

export const chart = join(root, "deploy/helm/parallax");

/** The values that the chart is tried with; the first are its own. */
const valueFiles = [undefined, ...readdirSync(join(chart, "ci")).map((name) => join(chart, "ci", name))];

/** @param {string | undefined} file */
const nameOf = (file) => (file === undefined ? "values.yaml" : basename(file));

/**
 * @param {string} program
 * @param {string | undefined} file
 */
const render = (program, file) =>
  run(program, ["template", "parallax", chart, "--namespace", "parallax", ...(file ? ["-f", file] : [])]);

/** @returns {Promise<Outcome>} */
export async function lintChart() {
  for (const { name, program } of helms)
    for (const file of valueFiles) {
      const linted = await run(program, ["lint", "--strict", chart, ...(file ? ["-f", file] : [])]);
      if (!linted.ok) return { ok: false, output: `${name}, ${nameOf(file)}:\n${linted.output}` };
    }
  return { ok: true, output: "" };
}

/** @param {string} output Helm says on the same stream which links it followed. */
const withoutNotes = (output) =>
  output
    .split("\n")
    .filter((line) => !/found symbolic link in path/.test(line))
    .join("\n");

/**
 * What the newest Helm renders.
 *
 * @param {readonly string[]} args
 */
export async function renderChart(...args) {
  const { ok, output } = await run(String(helms.at(-1)?.program), ["template", "parallax", chart, ...args]);
  if (!ok) throw new Error(output);
  return parseObjects(withoutNotes(output));
}

/** @returns {Promise<Outcome>} */
export async function checkRenderedChart() {
  /** @type {Record<string, ReturnType<typeof parseObjects>>} */
  const rendered = {};
  for (const { name, program } of helms)
    for (const file of valueFiles) {
      const { ok, output } = await render(program, file);
      if (!ok) return { ok, output: `${name}, ${nameOf(file)}:\n${output}` };
      rendered[`${name}, ${nameOf(file)}`] = parseObjects(withoutNotes(output));
    }
  return checkObjects(rendered);
}

/** What must not be installed, and what says so. */
const refused = /** @type {readonly (readonly [values: string, message: RegExp])[]} */ ([
  ["redis: { enabled: false }", /high availability needs Redis/],
  ["controlPlane: { config: { redis: { url: 'redis://elsewhere:6379' } } }", /keep one of them/],
  ["externalRedis: { existingSecret: mine }", /set redis.enabled to false/],
  ["controlPlane: { config: { highAvailability: { enabled: false } } }", /more than one node needs/],
  ["controlPlane: { terminationGracePeriodSeconds: 30 }", /has to be longer than/],
  ["controlPlane: { config: { server: { drainTimeout: 2m } } }", /has to be longer than/],
  ["controlPlane: { config: { server: { drainTimeout: 45000 } } }", /has to be longer than/],
  ["controlPlane: { config: { server: { port: 9000 } } }", /port/],
  ["controlPlane: { replica: 3 }", /replica/],
  ["ingress: { kind: traefik }", /kind/],
  ["redis: { replica: { replicaCount: 1 } }", /replicaCount/],
]);

/** @returns {Promise<Outcome>} */
export async function checkRefusals() {
  const directory = mkdtempSync(join(tmpdir(), "parallax-values-"));
  try {
    const problems = [];
    for (const { name, program } of helms)
      for (const [values, message] of refused) {
        const file = join(directory, "values.yaml");
        writeFileSync(file, values);
        const { ok, output } = await render(program, file);
        if (ok || !message.test(output))
          problems.push(`${name} with ${values}: ${ok ? "was not refused" : output}`);
      }
    return { ok: problems.length === 0, output: problems.join("\n") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * What the node reads: each rendered parallax.config.yaml is a valid one.
 *
 * @returns {Promise<Outcome>}
 */
export async function checkConfigs() {
  const program = join(root, "apps/control-plane/bin/parallax.js");
  const directory = mkdtempSync(join(tmpdir(), "parallax-config-"));
  try {
    for (const values of valueFiles) {
      const { output } = await render(String(helms[0]?.program), values);
      const maps = parseObjects(withoutNotes(output)).filter(({ kind }) => kind === "ConfigMap");
      const text = maps.find(({ data }) => data?.["parallax.config.yaml"])?.data["parallax.config.yaml"];
      const file = join(directory, "parallax.config.yaml");
      writeFileSync(file, String(text));
      // As where the URL is in a Secret.
      const env = parse(String(text)).redis ? {} : { PARALLAX_REDIS_URL: "redis://redis:6379" };
      const checked = await run(process.execPath, [program, "config", "check", "--config", file], { env });
      if (!checked.ok) return { ok: false, output: `${nameOf(values)}:\n${text}\n${checked.output}` };
    }
    return { ok: true, output: "" };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * The chart is versioned with the program that it installs.
 *
 * @returns {Outcome}
 */
export function checkVersions() {
  const { version } = JSON.parse(readFileSync(join(root, "apps/control-plane/package.json"), "utf8"));
  const { version: charts, appVersion } = parse(readFileSync(join(chart, "Chart.yaml"), "utf8"));
  const ok = charts === version && appVersion === version;
  return { ok, output: `the program is ${version}, the chart ${charts} for ${appVersion}\n` };
}
