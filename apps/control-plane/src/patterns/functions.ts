import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { UserFunction } from "../executions/function-runner.ts";

/** The functions of users that this node has: those that lay in its directory of patterns when it started. */
export interface Functions {
  /** By the hash under which executions know it (X9). */
  find(hash: string): UserFunction | undefined;
  /** The hash of a module, by its path below the directory. */
  hashOf(module: string): string | undefined;
  /** What the node advertises in membership. */
  readonly hashes: readonly string[];
}

/** Long enough never to meet by chance, and short enough that a beat carries all of them. */
const hashLength = 24;
/** More are not advertised: a beat has room for 4 KiB. */
const maxFunctions = 100;

/** Every `.js` and `.mjs` below the directory. One that is not there has none. */
export async function readFunctions(directory: string): Promise<Functions> {
  const files = existsSync(directory) ? await readdir(directory, { recursive: true }) : [];
  const modules = files.filter((file) => /\.m?js$/.test(file) && !file.split(sep).includes("node_modules"));
  const byModule = new Map<string, string>();
  const byHash = new Map<string, UserFunction>();
  for (const file of modules.sort().slice(0, maxFunctions)) {
    const source = await readFile(join(directory, file), "utf8");
    const hash = createHash("sha256").update(source).digest("hex").slice(0, hashLength);
    byModule.set(relative(directory, join(directory, file)).split(sep).join("/"), hash);
    byHash.set(hash, { hash, source });
  }
  return {
    find: (hash) => byHash.get(hash),
    hashOf: (module) => byModule.get(module),
    hashes: [...byHash.keys()],
  };
}
