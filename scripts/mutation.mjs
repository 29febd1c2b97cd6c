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
 * The guards that are not found exactly once in their file: code moves, and what breaks nothing proves nothing.
 *
 * @param {string} directory What the files are relative to.
 * @param {readonly Pick<Mutation, "guard" | "file" | "find">[]} guards
 * @returns {string[]}
 */
export function lostGuards(directory, guards) {
  return guards
    .filter(({ file, find }) => readFileSync(join(directory, file), "utf8").split(find).length !== 2)
    .map(({ guard, file, find }) => `${guard}: "${find}" does not occur once in ${file}`);
}
