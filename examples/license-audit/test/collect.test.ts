import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collectPackages, licenseFiles } from "../src/collect.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "license-audit-"));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function install(path: string, manifest: Record<string, unknown>, license = "the text"): Promise<void> {
  await write(`${path}/package.json`, JSON.stringify({ version: "1.0.0", ...manifest }));
  if (license !== "") await write(`${path}/LICENSE`, license);
}

async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, from)), { recursive: true });
  await symlink(join(root, to), join(root, from));
}

const collect = (directory = ""): ReturnType<typeof collectPackages> =>
  collectPackages({ directory: join(root, directory) });

async function namesIn(directory = ""): Promise<string[]> {
  return (await collect(directory)).packages.map(({ name, version }) => `${name}@${version}`);
}

describe("collectPackages", () => {
  it("finds plain, scoped and nested packages, sorted", async () => {
    await install("node_modules/b", { name: "b", license: "MIT" });
    await install("node_modules/@scope/a", { name: "@scope/a", license: "ISC" });
    await install("node_modules/b/node_modules/c", { name: "c", license: "MIT" });
    expect(await namesIn()).toEqual(["@scope/a@1.0.0", "b@1.0.0", "c@1.0.0"]);
    expect(await namesIn("node_modules")).toEqual(await namesIn());
  });

  it("finds the packages of pnpm's store, each once however many links lead to it", async () => {
    await install("node_modules/.pnpm/a@1.0.0/node_modules/a", { name: "a", license: "MIT" });
    await link("node_modules/a", "node_modules/.pnpm/a@1.0.0/node_modules/a");
    await link("apps/one/node_modules/a", "node_modules/.pnpm/a@1.0.0/node_modules/a");
    await link("node_modules/.pnpm/node_modules/a", "node_modules/.pnpm/a@1.0.0/node_modules/a");
    expect(await namesIn()).toEqual(["a@1.0.0"]);
    expect(await namesIn("apps")).toEqual(["a@1.0.0"]);
  });

  it("keeps two versions of a package apart", async () => {
    await install("node_modules/a", { name: "a", version: "2.0.0", license: "MIT" });
    await install("node_modules/b/node_modules/a", { name: "a", version: "1.0.0", license: "ISC" });
    await install("node_modules/b", { name: "b", license: "ISC" });
    expect(await namesIn()).toEqual(["a@1.0.0", "a@2.0.0", "b@1.0.0"]);
  });

  it("passes over links to siblings in the workspace, which are no dependencies", async () => {
    await install("packages/own", { name: "own", license: "MIT" });
    await link("node_modules/own", "packages/own");
    expect(await collect()).toEqual({ packages: [], skipped: [] });
  });

  it("survives links that lead in a circle", async () => {
    await install("node_modules/a", { name: "a", license: "MIT" });
    await link("node_modules/a/node_modules/a", "node_modules/a");
    expect(await namesIn()).toEqual(["a@1.0.0"]);
  });

  it("looks at folders of packages only, not at manifests inside them", async () => {
    await install("node_modules/a", { name: "a", license: "MIT" });
    await write("node_modules/a/dist/esm/package.json", JSON.stringify({ type: "module" }));
    await install("node_modules/a/test/fixture", { name: "fixture", license: "MIT" });
    expect(await namesIn()).toEqual(["a@1.0.0"]);
  });

  it("says which packages were left out, and why", async () => {
    await install("node_modules/choice", { name: "choice", license: "MIT OR ISC" });
    await install("node_modules/no-text", { name: "no-text", license: "MIT" }, "");
    await install("node_modules/two-texts", { name: "two-texts", license: "MIT" });
    await write("node_modules/two-texts/LICENSE.md", "another text");
    await install("node_modules/large", { name: "large", license: "MIT" }, "x".repeat(600_000));
    await write("node_modules/broken/package.json", "{");
    const { packages, skipped } = await collect();
    expect(packages).toEqual([]);
    expect(skipped.map(({ package: name, reason }) => [name, reason])).toEqual([
      ["broken", "package.json unreadable"],
      ["choice@1.0.0", "several licences or an expression"],
      ["large@1.0.0", "licence text too large"],
      ["no-text@1.0.0", "no licence text"],
      ["two-texts@1.0.0", "several licence texts"],
    ]);
  });

  it("counts a package that is complete in one place and not in another as found", async () => {
    await install("node_modules/a", { name: "a", license: "MIT" }, "");
    await install("node_modules/b/node_modules/a", { name: "a", license: "MIT" });
    await install("node_modules/b", { name: "b", license: "MIT" });
    const { packages, skipped } = await collect();
    expect(packages.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(skipped).toEqual([]);
  });

  it("refuses a folder that does not exist and says what to name", async () => {
    await expect(collect("missing")).rejects.toMatchObject({
      code: "audit_directory_unreadable",
      message: expect.stringMatching(/missing.*name a folder that exists/),
    });
  });

  it("stops when its signal aborts", async () => {
    await install("node_modules/a", { name: "a", license: "MIT" });
    await expect(collectPackages({ directory: root, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });
});

describe("licenseFiles", () => {
  it.each([
    [["LICENSE"], "LICENSE"],
    [["license.md"], "license.md"],
    [["LICENCE.txt"], "LICENCE.txt"],
    [["LICENSE-MIT"], "LICENSE-MIT"],
    [["LICENSE-MIT.txt"], "LICENSE-MIT.txt"],
    [["MIT-LICENSE.txt"], "MIT-LICENSE.txt"],
    [["UNLICENSE"], "UNLICENSE"],
    [["COPYING"], "COPYING"],
    [["LICENSE", "LICENSE-MIT", "COPYING"], "LICENSE"],
    [["LICENSE-APACHE", "LICENSE-THIRD-PARTY"], "LICENSE-APACHE"],
    [["LICENSE", "LICENSE.DOCS"], "LICENSE"],
  ])("of %j takes %s", (files, file) => {
    expect(licenseFiles(["package.json", "README.md", "index.js", ...files])).toEqual([file]);
  });

  it.each([
    "license-checker.js",
    "licenses",
    "ThirdPartyNoticeText.txt",
    "LICENSE-3RD-PARTY.md",
    "relicense.md",
  ])("does not take %s", (file) => {
    expect(licenseFiles([file])).toEqual([]);
  });

  it("leaves a choice between texts of one rank open", () => {
    expect(licenseFiles(["LICENSE-MIT", "LICENSE-APACHE"])).toEqual(["LICENSE-APACHE", "LICENSE-MIT"]);
  });
});
