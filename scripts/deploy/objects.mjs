// Holds rendered objects to Kubernetes' schemas: the validators check what values may be, the types that no field is unknown or
// missing. Both are generated from Kubernetes' own OpenAPI document.

import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { root, run } from "../command.mjs";
import { schemas } from "./tools.mjs";

/**
 * @typedef {{ apiVersion: string; kind: string; metadata: { name: string; annotations?: Record<string, string> }; [key: string]: any }} KubernetesObject
 * @typedef {import("../command.mjs").Outcome} Outcome
 */

const packages = { "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator" };

/** @param {string} apiVersion */
const moduleOf = (apiVersion) =>
  `${Object.entries(packages).find(([version]) => version === apiVersion)?.[1] ?? "kubernetes-models"}/${apiVersion}`;

/**
 * The objects of a stream of YAML documents.
 *
 * @param {string} text
 * @returns {KubernetesObject[]}
 */
export function parseObjects(text) {
  return parseAllDocuments(text, { merge: true }).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.contents === null ? [] : [document.toJS()];
  });
}

/**
 * @param {Readonly<Record<string, readonly KubernetesObject[]>>} rendered The objects by where they are from.
 * @returns {Promise<Outcome>}
 */
export async function checkObjects(rendered) {
  const load = createRequire(join(schemas, "package.json"));
  const objects = Object.entries(rendered).flatMap(([from, list]) =>
    list.map((object) => ({ from, object, title: `${from}: ${object.kind} ${object.metadata?.name}` })),
  );
  const problems = objects.flatMap(({ object, title }) => {
    try {
      const Model = load(moduleOf(object.apiVersion))[object.kind];
      if (!Model) return [`${title}: there is no ${object.kind} in ${object.apiVersion}`];
      new Model(object).validate();
      return [];
    } catch (error) {
      return [`${title}: ${error instanceof Error ? error.message : error}`];
    }
  });
  const types = await checkTypes(objects);
  const all = [...problems, ...types];
  return { ok: objects.length > 0 && all.length === 0, output: `${all.join("\n")}\n` };
}

/** @param {readonly { object: KubernetesObject; title: string }[]} objects */
async function checkTypes(objects) {
  const directory = join(schemas, "rendered");
  mkdirSync(directory, { recursive: true });
  const lines = objects.map(({ object, title }, index) => {
    const type = `import("${moduleOf(object.apiVersion)}").I${object.kind}`;
    return `// ${title}\nexport const object${index}: ${type} = ${JSON.stringify(object)};`;
  });
  writeFileSync(join(directory, "objects.ts"), lines.join("\n"));
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: true, module: "nodenext", types: [] };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["objects.ts"] }));
  const args = ["--pretty", "false", "-p", join(directory, "tsconfig.json")];
  const { ok, output } = await run(join(root, "node_modules/.bin/tsc"), args);
  if (ok) return [];
  return output.split("\n").map((line) => {
    const at = /objects\.ts\((\d+),/.exec(line)?.[1];
    const from = at === undefined ? undefined : objects[Math.floor((Number(at) - 1) / 2)];
    return from ? line.replace(/^.*?: /, `${from.title}: `) : line;
  });
}
