// `npm run test:upgrade -- --from REF`: rolling upgrades and roll-backs of three nodes behind HAProxy, under load. REF is a commit,
// which is built, packed and installed as a user gets it; the other side is the code of this work tree. Then the same with a
// version as it may be one day: unknown fields wherever versions meet, unknown messages, a protocol with a higher number.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pnpm, root, run } from "./command.mjs";
import { publishedPackages, tarball } from "./packages.mjs";
import { ensurePrograms } from "./programs.mjs";
import { ensureRedis } from "./servers.mjs";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "" },
    agents: { type: "string", default: "600" },
    rate: { type: "string", default: "20" },
  },
});
const timeoutMs = 10 * 60_000;
const cache = join(root, "node_modules/.cache/parallax-versions");

/** @param {import("./command.mjs").Outcome} outcome */
function mustBeOk({ ok, output }) {
  if (!ok) throw new Error(output);
  return output.trim();
}

/**
 * The program of a commit, installed from its packed packages.
 *
 * @param {string} commit
 */
async function programOf(commit) {
  const home = join(cache, commit);
  const program = join(home, "node_modules/@parallax/control-plane/bin/parallax.js");
  if (existsSync(program)) return program;
  const tree = join(cache, `${commit}.tree`);
  const fresh = `${home}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  if (!existsSync(tree)) mustBeOk(await run("git", ["worktree", "add", "--detach", "--force", tree, commit]));
  try {
    const options = { cwd: tree, timeoutMs };
    mustBeOk(await pnpm(["install", "--frozen-lockfile", "--prefer-offline"], options));
    mustBeOk(await pnpm(["exec", "turbo", "run", "build", "--output-logs=errors-only"], options));
    const packages = publishedPackages(tree);
    const filters = packages.flatMap(({ manifest }) => ["--filter", manifest.name]);
    mustBeOk(await pnpm([...filters, "pack", "--pack-destination", fresh], options));
    const dependencies = Object.fromEntries(
      packages.map((one) => [one.manifest.name, `file:./${tarball("", one)}`]),
    );
    writeFileSync(join(fresh, "package.json"), JSON.stringify({ private: true, dependencies }));
    const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    mustBeOk(await run("npm", args, { cwd: fresh, timeoutMs }));
  } finally {
    await run("git", ["worktree", "remove", "--force", tree]);
  }
  renameSync(fresh, home);
  return program;
}

/**
 * @param {string} title
 * @param {readonly string[]} versions
 */
async function roll(title, versions) {
  console.log(`\n${title}`);
  const args = [
    "bench/run.mjs",
    "deploy/rolling",
    "--agents",
    values.agents,
    "--rate",
    values.rate,
    ...versions,
  ];
  const { ok } = await run(process.execPath, args, { timeoutMs, show: true });
  count[ok ? "passed" : "failed"] += 1;
}

const count = { passed: 0, failed: 0 };
try {
  if (values.from === "")
    throw new Error("which version do nodes have before? --from REF, such as a tag or a commit");
  mustBeOk(await ensureRedis({ timeoutMs }));
  const haproxy = {
    programs: ["haproxy"],
    packages: ["haproxy"],
    brew: "haproxy",
    elsewhere: "install HAProxy",
  };
  mustBeOk(await ensurePrograms(haproxy, { timeoutMs }));
  const commit = mustBeOk(await run("git", ["rev-parse", "--verify", `${values.from}^{commit}`]));
  const short = commit.slice(0, 7);
  const old = await programOf(commit);
  await roll(`from ${short} to this version`, ["--from", old]);
  await roll(`from this version back to ${short}`, ["--to", old]);
  await roll("from this version to a later one", ["--to", "later"]);
  await roll("from a later version back to this one", ["--from", "later"]);
} catch (error) {
  count.failed += 1;
  console.error(error instanceof Error ? error.message : error);
}
console.log(`\n${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;
