import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../command.mjs";
import { lostGuards } from "../mutation.mjs";

const folders = ["packages", "apps"]
  .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
  .filter((folder) => existsSync(join(root, folder, "mutations.mjs")));

describe("the guards that are broken on purpose", () => {
  it.each(folders)("are where %s says", async (folder) => {
    const { mutations } = await import(join(root, folder, "mutations.mjs"));
    expect(mutations.length).toBeGreaterThan(0);
    expect(lostGuards(join(root, folder, "src"), mutations)).toEqual([]);
  });

  it("are where the simulation of clusters says", async () => {
    const { guards } = await import(join(root, "apps/control-plane/test/simulation/guards.mjs"));
    expect(lostGuards(root, guards)).toEqual([]);
  });
});
