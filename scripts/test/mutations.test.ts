import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../command.mjs";

interface Guard {
  readonly guard: string;
  readonly file: string;
  readonly find: string;
}

/** Those that are not found exactly once in what they are to break: whoever changed the guard has to change them too. */
const lost = (guards: readonly Guard[], folder: string): string[] =>
  guards
    .filter(({ file, find }) => readFileSync(join(root, folder, file), "utf8").split(find).length !== 2)
    .map(({ guard, file }) => `${file}: ${guard}`);

const folders = ["packages", "apps"]
  .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
  .filter((folder) => existsSync(join(root, folder, "mutations.mjs")));

describe("the guards that are broken on purpose", () => {
  it.each(folders)("are where %s says", async (folder) => {
    const { mutations } = await import(join(root, folder, "mutations.mjs"));
    expect(mutations.length).toBeGreaterThan(0);
    expect(lost(mutations, `${folder}/src`)).toEqual([]);
  });

  it("are where the simulation of clusters says", async () => {
    const { guards } = await import(join(root, "apps/control-plane/test/simulation/guards.mjs"));
    expect(lost(guards, ".")).toEqual([]);
  });
});
