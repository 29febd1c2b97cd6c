import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A guard, and a way to break it: what `mutations.mjs` of a package lists, and `scripts/mutate.mjs` tries.
 *
 * @typedef {object} Mutation
 * @property {string} guard What is broken.
 * @property {string} file Below src.
 * @property {string} find Occurs exactly once.
 * @property {string} replace
 * @property {string} tests The name of the suite that must notice.
 */

/**
 * Mutations of one file, each of which the same suite must notice.
 *
 * @type {(file: string, tests: string) => (guard: string, find: string, replace: string) => Mutation}
 */
export const inFile = (file, tests) => (guard, find, replace) => ({ guard, file, find, replace, tests });

/**
 * What is wrong with a package's mutations since its code has changed: a guard that is not where it is looked for, a suite that
 * is not there.
 *
 * @param {string} directory Of the package.
 * @param {{ mutations: readonly Mutation[], suites: Readonly<Record<string, readonly string[]>> }} lists
 * @returns {string[]}
 */
export function staleMutations(directory, { mutations, suites }) {
  return mutations.flatMap(({ guard, file, find, tests }) => [
    ...(readFileSync(join(directory, "src", file), "utf8").split(find).length === 2
      ? []
      : [`${guard}: "${find}" does not occur once in ${file}`]),
    ...(suites[tests]?.length ? [] : [`${guard}: there is no suite ${tests}`]),
  ]);
}
