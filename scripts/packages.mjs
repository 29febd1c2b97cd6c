import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./command.mjs";

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Record<string, string>} [bin]
 * @property {{ exports?: Record<string, unknown> }} [publishConfig]
 *
 * @typedef {object} Package
 * @property {string} folder As a path from the root: `packages/core`.
 * @property {Manifest} manifest
 */

/**
 * The packages of the workspace that are published.
 *
 * @param {string} [tree] Another work tree than this one.
 * @returns {Package[]}
 */
export function publishedPackages(tree = root) {
  return ["packages", "apps"].flatMap((group) =>
    readdirSync(join(tree, group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(tree, folder, "package.json")))
      .map((folder) => ({
        folder,
        manifest: /** @type {Manifest} */ (
          JSON.parse(readFileSync(join(tree, folder, "package.json"), "utf8"))
        ),
      }))
      .filter(({ manifest }) => manifest.private !== true),
  );
}

/**
 * Where `pnpm pack` puts a package.
 *
 * @param {string} directory
 * @param {Package} published
 */
export function tarball(directory, { manifest }) {
  return join(directory, `${manifest.name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`);
}
