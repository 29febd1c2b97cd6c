import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./command.mjs";

const programs = ["redis-server", "redis-sentinel", "redis-cli"];
const packages = ["redis-server", "redis-sentinel", "redis-tools"];

/** @param {string} program */
function isInstalled(program) {
  return (process.env.PATH ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The line that installs Redis here. */
function remedy() {
  if (process.platform === "darwin") return "brew install redis";
  if (isInstalled("apt-get")) return `sudo apt-get update && sudo apt-get install -y ${packages.join(" ")}`;
  return "install Redis 6.2 or newer with redis-server, redis-sentinel and redis-cli on the PATH";
}

/**
 * Makes sure that the programs of Redis are here; the tests start their own servers on free ports. On Debian and Ubuntu,
 * as root, they are installed from the distribution.
 *
 * @param {{ timeoutMs: number }} options
 * @returns {Promise<import("./command.mjs").Outcome & { note?: string }>}
 */
export async function ensureRedis({ timeoutMs }) {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return { ok: true, output: "" };
  if (!isInstalled("apt-get") || process.getuid?.() !== 0) {
    return { ok: false, output: `missing: ${missing.join(", ")}. To install: ${remedy()}\n` };
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const updated = await run("apt-get", ["update", "-qq"], { timeoutMs, env });
  if (!updated.ok) return updated;
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  const installed = await run("apt-get", install, { timeoutMs, env });
  return { ...installed, note: `installed ${packages.join(", ")} from the distribution` };
}
