// Part of `pnpm run release:version`: gives the chart, and the manifests that are rendered from it, the version of the program.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./command.mjs";

const { version } = JSON.parse(readFileSync(join(root, "apps/control-plane/package.json"), "utf8"));
for (const name of ["", "charts/redis/"]) {
  const file = join(root, "deploy/helm/parallax", name, "Chart.yaml");
  const text = readFileSync(file, "utf8").replace(/^( *version|version): .*$/gm, `$1: ${version}`);
  // The subchart's is the tag of Redis's image.
  writeFileSync(file, name === "" ? text.replace(/^appVersion: .*$/m, `appVersion: "${version}"`) : text);
}
const rendered = await run(process.execPath, [join(root, "scripts/deploy/manifests.mjs")]);
if (!rendered.ok) throw new Error(rendered.output);
