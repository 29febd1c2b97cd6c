import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";

/**
 * An esbuild plugin for what is bundled with its dependencies: their licences ask for their text to come along, so it is
 * written to `dist/THIRD-PARTY-NOTICES.txt`. A dependency without such a text fails the build.
 */
export function thirdPartyNotices(directory: string): Plugin {
  return {
    name: "third-party-notices",
    setup(build) {
      build.initialOptions.metafile = true;
      build.onEnd(({ metafile }) => {
        const inputs = Object.keys(metafile?.inputs ?? {}).filter((path) => path.includes("node_modules/"));
        const packages = new Set(inputs.map((path) => packageOf(join(directory, path))));
        const notices = [...packages].map(notice).sort();
        mkdirSync(join(directory, "dist"), { recursive: true });
        writeFileSync(
          join(directory, "dist", "THIRD-PARTY-NOTICES.txt"),
          notices.join(`\n${"-".repeat(78)}\n\n`),
        );
      });
    },
  };
}

/** The folder of the package that a file belongs to. */
function packageOf(file: string): string {
  const folder = dirname(file);
  const path = join(folder, "package.json");
  const isPackage = existsSync(path) && "version" in JSON.parse(readFileSync(path, "utf8"));
  return isPackage ? folder : packageOf(folder);
}

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (text === undefined) throw new Error(`bundling ${name}: it has no text of its licence (${license})`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, text), "utf8").trim()}\n`;
}
