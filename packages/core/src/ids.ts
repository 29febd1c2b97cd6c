import { type Random, systemRandom } from "./random.ts";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * A random id such as `exec_3k9x0c7m1v5q8b2n4t6w`: `prefix`, then 20 characters of [0-9a-z], about 103 bits with the default source.
 */
export function randomId(prefix: string, random: Random = systemRandom): string {
  let id = prefix;
  for (let index = 0; index < 20; index += 1) id += alphabet[Math.floor(random.next() * alphabet.length)];
  return id;
}
