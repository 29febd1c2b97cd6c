import { describe, expect, it } from "vitest";
import { checkDocs } from "../check-docs.mjs";
import { sourceTree } from "./source-tree.ts";

const manifest = JSON.stringify({ name: "@parallax/core", scripts: { build: "", bench: "" } });
const check = (document: string) =>
  checkDocs(
    sourceTree({
      "package.json": JSON.stringify({ name: "root", scripts: { sim: "" } }),
      "packages/core/package.json": manifest,
      "packages/core/README.md": document,
      "docs/guide.md": "# The guide\n\n## What it `does`, and (not)\n\n```sh\n# no heading\n```\n",
    }),
  );

describe("documents", () => {
  it.each([
    "[guide](../../docs/guide.md) [docs](../../docs) [away](https://example.com/nothing)",
    "[part](../../docs/guide.md#what-it-does-and-not) [here](#above)\n\n# Above",
    "`[no link](nothing.md)`\n\n```md\n[no link](nothing.md)\n```",
    "`npm run sim` `pnpm build` `pnpm install` `pnpm --filter @parallax/core build` `packages/core`",
  ])("pass where all that they name is there: %s", (document) => {
    expect(check(document)).toEqual([]);
  });

  it.each([
    ["[gone](gone.md)", "packages/core/README.md:1 links to gone.md, which is not there"],
    [
      "\n[part](../../docs/guide.md#no-heading)",
      "packages/core/README.md:2 links to ../../docs/guide.md#no-heading, which has no such heading",
    ],
    ["`npm run nothing`", "packages/core/README.md:1 npm run nothing: there is no such script"],
    ["`pnpm nothing`", "packages/core/README.md:1 `pnpm nothing: there is no such script"],
    [
      "`pnpm --filter @parallax/gone build`",
      "packages/core/README.md:1 pnpm --filter @parallax/gone build: there is no such package",
    ],
    [
      "`pnpm --filter @parallax/core bench no/such`",
      "packages/core/README.md:1 pnpm --filter @parallax/core bench no/such: there is no such benchmark",
    ],
    ["`node scripts/gone.mjs`", "packages/core/README.md:1 node scripts/gone.mjs: there is no such file"],
    ["`packages/core/gone.ts`", "packages/core/README.md:1 `packages/core/gone.ts`: there is no such file"],
  ])("fail for %s", (document, problem) => {
    expect(check(document)).toEqual([problem]);
  });
});
