// In a package, pnpm sim [--seeds 1000] [--seed 1]: simulates it under faults, from the first seed on. A package whose histories
// are played by a program of its own, test/simulation/run.ts, has that program run; the others have their tests run.
// pnpm sim --guards [TEXT] [--seeds 2000], of such a program: takes each guard of its guards.mjs away, and requires that a
// history breaks, or, for those that name an entry of a package's mutations.mjs, that a test fails there.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { root } from "./command.mjs";

// Most of what a step makes is garbage a step later.
const nodeOptions = "--max-semi-space-size=64";
const folder = join(process.cwd(), "test/simulation");
const program = join(folder, "run.ts");

/**
 * @param {readonly string[]} args
 * @param {import("./bundle.mjs").Change} [change]
 */
async function play(args, change) {
  const { path, remove } = await bundle(program, {
    package: process.cwd(),
    external: ["vitest", "esbuild"],
    ...(change ? { change } : {}),
  });
  try {
    const node = ["--enable-source-maps", nodeOptions, path, ...args];
    return spawnSync(process.execPath, node, {
      stdio: change ? ["ignore", "pipe", "inherit"] : "inherit",
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
  } finally {
    remove();
  }
}

/**
 * The test that fails when an entry of a package's mutations.mjs is taken away; undefined if none does, or there is no such entry.
 *
 * @param {{ readonly package: string, readonly guard: string }} entry
 */
function testThatHolds({ package: folder, guard }) {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "scripts/mutate.mjs"), "--only", guard],
    { cwd: join(root, folder), encoding: "utf8" },
  );
  const row = stdout.split("\n").find((line) => line.startsWith(`| ${guard} |`));
  return status === 0 && row ? row.split("|").at(3)?.trim() : undefined;
}

/**
 * @param {string} only
 * @param {string} seeds
 */
async function takeGuardsAway(only, seeds) {
  /** @typedef {{ readonly package: string, readonly guard: string }} Entry */
  /** @type {{ guards: readonly (import("./bundle.mjs").Change & { guard: string, heldBy?: Entry })[] }} */
  const { guards } = await import(pathToFileURL(join(folder, "guards.mjs")).href);
  let survivors = 0;
  console.log("| guard that was taken away | histories | what broke first |\n|---|---:|---|");
  for (const { guard, file, heldBy, ...text } of guards.filter((one) => one.guard.includes(only))) {
    const { stdout } = await play(["--seeds", seeds, "--until-broken"], { ...text, file: join(root, file) });
    const [, seed, what] = /BROKEN seed (\d+): (.*)/.exec(stdout) ?? [];
    const test = seed === undefined && heldBy ? testThatHolds(heldBy) : undefined;
    if (seed === undefined && test === undefined) survivors += 1;
    const nothing = test === undefined ? "**nothing**" : `nothing; the test that fails: ${test}`;
    const story = what?.replaceAll(/\b(exec|agent|inc)_[0-9a-z]+|#[0-9a-z]+/g, "…") ?? nothing;
    console.log(`| ${guard} | ${seed ?? seeds} | ${story} |`);
  }
  console.log(survivors === 0 ? "\nevery guard is missed" : `\n${survivors} guards are not missed`);
  return survivors === 0 ? 0 : 1;
}

/**
 * @param {string | undefined} seeds
 * @param {string | undefined} seed
 */
function runTests(seeds, seed) {
  const { status } = spawnSync(join(root, "node_modules/.bin/vitest"), ["run", "test/simulation"], {
    env: {
      ...process.env,
      SIM_SEEDS: seeds ?? (seed === undefined ? "1000" : "1"),
      SIM_SEED: seed ?? "1",
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} ${nodeOptions}`,
    },
    stdio: "inherit",
  });
  return status ?? 1;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { seeds: { type: "string" }, seed: { type: "string" }, guards: { type: "boolean" } },
});
/** @param {unknown} value */
const given = (value) => (typeof value === "string" ? value : undefined);
const [seeds, seed] = [given(values.seeds), given(values.seed)];

if (!existsSync(program)) process.exitCode = runTests(seeds, seed);
else if (values.guards) process.exitCode = await takeGuardsAway(positionals[0] ?? "", seeds ?? "2000");
else process.exitCode = (await play(process.argv.slice(2))).status ?? 1;
