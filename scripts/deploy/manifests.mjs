// The plain manifests: deploy/kubernetes/base is what the chart renders with deploy/kubernetes/values.yaml, and the overlays are
// what kustomize makes of it.
//
//   node scripts/deploy/manifests.mjs    renews base/

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { root, run } from "../command.mjs";
import { renderChart } from "./charts.mjs";
import { checkObjects, parseObjects } from "./objects.mjs";
import { fetchTools, kubectl } from "./tools.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */

const manifests = join(root, "deploy/kubernetes");
const base = join(manifests, "base");
const head = "# Rendered from deploy/helm/parallax. To renew: node scripts/deploy/manifests.mjs\n";

/** What says that Helm manages an object, which it does not here. @param {any} value */
function withoutHelm(value) {
  if (typeof value !== "object" || value === null) return;
  for (const key of ["helm.sh/chart", "app.kubernetes.io/managed-by", "helm.sh/resource-policy"])
    delete value[key];
  for (const [key, child] of Object.entries(value)) {
    withoutHelm(child);
    if (key === "annotations" && child !== null && Object.keys(child).length === 0) delete value[key];
  }
}

/** @returns {Promise<Map<string, string>>} The files of base/, by name. */
async function renderBase() {
  const files = new Map();
  for (const object of await renderChart("-f", join(manifests, "values.yaml"))) {
    withoutHelm(object);
    const name = `${object.metadata.name}.${object.kind.toLowerCase()}.yaml`;
    files.set(name, head + stringify(object, { lineWidth: 0 }));
  }
  const names = [...files.keys()].sort();
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: names,
  };
  return files.set("kustomization.yaml", head + stringify(kustomization));
}

/** @returns {Promise<Outcome>} */
export async function checkBase() {
  const wanted = await renderBase();
  const found = readdirSync(base);
  const differing = [...new Set([...wanted.keys(), ...found])].filter(
    (name) => !found.includes(name) || readFileSync(join(base, name), "utf8") !== wanted.get(name),
  );
  const output = `deploy/kubernetes/base is not what the chart renders: ${differing.join(", ")}. Run node scripts/deploy/manifests.mjs\n`;
  return { ok: differing.length === 0, output };
}

/**
 * What kustomize makes of a folder.
 *
 * @param {string} folder
 */
export async function renderOverlay(folder) {
  const { ok, output } = await run(kubectl, ["kustomize", join(manifests, folder)]);
  if (!ok) throw new Error(output);
  return parseObjects(output);
}

/** @returns {Promise<Outcome>} */
export async function checkOverlays() {
  /** @type {Record<string, ReturnType<typeof parseObjects>>} */
  const rendered = {};
  const overlays = readdirSync(join(manifests, "overlays")).map((name) => `overlays/${name}`);
  for (const folder of ["base", ...overlays]) {
    rendered[folder] = await renderOverlay(folder);
  }
  return checkObjects(rendered);
}

if (import.meta.url === pathToFileURL(String(process.argv[1])).href) {
  const fetched = await fetchTools();
  if (!fetched.ok) throw new Error(fetched.output);
  const files = await renderBase();
  rmSync(base, { recursive: true, force: true });
  mkdirSync(base, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(base, name), text);
}
