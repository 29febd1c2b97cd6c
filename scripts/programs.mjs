import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./command.mjs";

/** Debian keeps the programs of PostgreSQL here, by version, and off the PATH. */
const postgresVersions = "/usr/lib/postgresql";

/** Where programs are looked for. */
function programDirectories() {
  const versions = existsSync(postgresVersions) ? readdirSync(postgresVersions) : [];
  return [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => join(postgresVersions, version, "bin")),
  ];
}

/** @param {string} program */
function isInstalled(program) {
  return programDirectories().some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * @typedef {object} Wanted
 * @property {readonly string[]} programs
 * @property {readonly string[]} packages Debian's packages that have them.
 * @property {string} brew The formula that has them.
 * @property {string} elsewhere What to do on any other system.
 */

/**
 * The line that installs the programs here.
 *
 * @param {Wanted} wanted
 */
function remedy({ packages, brew, elsewhere }) {
  if (process.platform === "darwin") return `brew install ${brew}`;
  if (isInstalled("apt-get")) return `sudo apt-get update && sudo apt-get install -y ${packages.join(" ")}`;
  return elsewhere;
}

/** Debian asks this program before it starts a service that it has installed; 101 forbids it. */
const servicePolicy = "/usr/sbin/policy-rc.d";

/**
 * What is installed meanwhile starts no service: the tests want programs, not servers on well-known ports.
 *
 * @template T
 * @param {() => Promise<T>} install
 * @returns {Promise<T>}
 */
async function withoutServices(install) {
  if (existsSync(servicePolicy)) return install();
  const remove = () => rmSync(servicePolicy, { force: true });
  process.once("exit", remove);
  writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await install();
  } finally {
    remove();
    process.off("exit", remove);
  }
}

/**
 * Makes sure that programs are here. On Debian and Ubuntu, as root, they are installed from the distribution, and their services
 * are not started; elsewhere the outcome says how to.
 *
 * @param {Wanted} wanted
 * @param {{ timeoutMs: number }} options
 * @returns {Promise<import("./command.mjs").Outcome & { note?: string }>}
 */
export async function ensurePrograms(wanted, { timeoutMs }) {
  const { programs, packages } = wanted;
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return { ok: true, output: "" };
  if (!isInstalled("apt-get") || process.getuid?.() !== 0) {
    return { ok: false, output: `missing: ${missing.join(", ")}. To install: ${remedy(wanted)}\n` };
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const updated = await run("apt-get", ["update", "-qq"], { timeoutMs, env });
  if (!updated.ok) return updated;
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  const installed = await withoutServices(() => run("apt-get", install, { timeoutMs, env }));
  return { ...installed, note: `installed ${packages.join(", ")} from the distribution` };
}
