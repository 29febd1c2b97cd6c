import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

/** Bundled CommonJS modules ask for modules of Node. */
const banner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * @typedef {object} Change
 * @property {string} file
 * @property {string} find Occurs exactly once.
 * @property {string} replace
 */

/**
 * Bundles a TypeScript program from the sources of the workspace.
 *
 * @param {string} source
 * @param {object} options
 * @param {string} options.package The folder of the package that it is run in: what stays outside of the bundle is found there.
 * @param {readonly string[]} options.external What stays outside of the bundle.
 * @param {Change} [options.change] Made to one file on the way.
 */
export async function bundle(source, { package: folder, external, change }) {
  const directory = mkdtempSync(join(folder, ".run-"));
  const path = join(directory, "program.mjs");
  const remove = () => rmSync(directory, { recursive: true, force: true });
  let changed = 0;
  /** @type {import("esbuild").Plugin} */
  const changing = {
    name: "change",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, (file) => {
        if (!change || file.path !== change.file) return undefined;
        const text = readFileSync(file.path, "utf8");
        if (text.split(change.find).length !== 2)
          throw new Error(`"${change.find}" does not occur once in ${change.file}`);
        changed += 1;
        return { contents: text.replace(change.find, () => change.replace), loader: "ts" };
      }),
  };
  try {
    await build({
      entryPoints: [source],
      outfile: path,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      conditions: ["@parallax/source"],
      banner: { js: banner },
      sourcemap: "inline",
      external: [...external],
      plugins: [changing],
      logLevel: "warning",
    });
    if (change && changed === 0) throw new Error(`${change.file} is no part of ${source}`);
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}
