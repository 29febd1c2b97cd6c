// Every guard in a package's mutations.mjs is still where `pnpm mutate` looks for it: code moves, and a mutation that changes
// nothing proves nothing.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./command.mjs";
import { staleMutations } from "./mutation.mjs";
import { publishedPackages } from "./packages.mjs";

const folders = publishedPackages()
  .map(({ folder }) => join(root, folder))
  .filter((folder) => existsSync(join(folder, "mutations.mjs")));
let count = 0;
/** @type {string[]} */
const stale = [];
for (const folder of folders) {
  const lists = await import(pathToFileURL(join(folder, "mutations.mjs")).href);
  count += lists.mutations.length;
  stale.push(...staleMutations(folder, lists));
}
if (count === 0) stale.push("there are no mutations any more");
for (const line of stale) console.error(line);
process.exitCode = stale.length === 0 ? 0 : 1;
