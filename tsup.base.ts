import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "tsup";
import { thirdPartyNotices } from "./tsup.notices.ts";

type TsupConfig = ReturnType<typeof defineConfig>;
type Manifest = { bin?: unknown; exports: Record<string, string | { "@parallax/source"?: string }> };

/** Bundled CommonJS modules ask for modules of Node. */
const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * The build of a package: one ESM file for each entry of its `exports`, and `src/bin.ts` where it has a `bin`. With `bundled` its
 * dependencies are part of it, so that a program starts by reading few files.
 */
export function library(
  directory: string,
  { bundled = false }: { readonly bundled?: boolean } = {},
): TsupConfig {
  const manifest: Manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const entries = Object.values(manifest.exports).flatMap((target) =>
    typeof target === "string" ? [] : [target["@parallax/source"] ?? []].flat(),
  );
  return defineConfig({
    entry: manifest.bin ? [...entries, "src/bin.ts"] : entries,
    format: "esm",
    // The oldest supported Node has no `await using`: the target makes esbuild compile it down.
    target: "node20.19",
    platform: "node",
    ...(bundled
      ? {
          noExternal: [/./],
          splitting: true,
          banner: { js: requireBanner },
          esbuildPlugins: [thirdPartyNotices(directory)],
        }
      : {}),
    // tsc writes the declarations, see tsconfig.build.json.
    dts: false,
    sourcemap: true,
    clean: true,
    silent: true,
  });
}
