import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Lets bundled CommonJS modules ask for modules of Node. */
const banner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** A TypeScript program as one file that Node runs. */
export interface BundledScript {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Bundles a TypeScript program with everything that it imports, from the sources of the workspace, so that a test can run it
 * as a process without a build.
 */
export async function bundleScript(source: string): Promise<BundledScript> {
  const directory = await createTemporaryDirectory("bundle");
  const path = join(directory.path, "script.mjs");
  await bundleInto(path, source, { sourcemap: "inline" });
  return { path, remove: () => directory.remove() };
}

/** The same, into a file of one's own. Plugins of esbuild may change the sources on their way. */
export async function bundleInto(
  outfile: string,
  source: string,
  options: { readonly plugins?: Plugin[]; readonly sourcemap?: "inline" } = {},
): Promise<void> {
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@parallax/source"],
    banner: { js: banner },
    ...options,
    logLevel: "silent",
  });
}
