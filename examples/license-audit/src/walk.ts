import { readdir, realpath } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { compareText } from "./order.ts";

/**
 * Yields the real path of every package folder under `directory`, each once: the children of every `node_modules`, with
 * scopes, nesting and pnpm's store. What cannot be read is passed over.
 */
export async function* packageDirectories(directory: string): AsyncGenerator<string> {
  const visited = new Set<string>();
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (basename(next) !== "node_modules") {
      pending.push(...(await foldersIn(next)));
      continue;
    }
    for (const candidate of await childrenOfNodeModules(next)) {
      const real = await realpath(candidate).catch(() => undefined);
      if (real === undefined || visited.has(real) || !real.includes(`${sep}node_modules${sep}`)) continue;
      visited.add(real);
      yield real;
      pending.push(join(real, "node_modules"));
    }
  }
}

/** Below an ordinary folder: its real sub-folders, never through links, so that the walk ends. */
async function foldersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => join(directory, entry.name));
}

/** The package folders of one `node_modules`: plain, scoped, and those of every entry of pnpm's store. */
async function childrenOfNodeModules(directory: string): Promise<string[]> {
  const children: string[] = [];
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    if (name === ".pnpm") {
      for (const entry of await namesIn(path)) {
        children.push(...(await childrenOfNodeModules(join(path, entry, "node_modules"))));
      }
    } else if (name.startsWith("@")) {
      children.push(...(await namesIn(path)).map((child) => join(path, child)));
    } else if (!name.startsWith(".")) {
      children.push(path);
    }
  }
  return children;
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch((): string[] => [])).sort(compareText);
}
