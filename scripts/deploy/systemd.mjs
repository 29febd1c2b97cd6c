// The systemd unit: verified, its exposure measured, and its command line run as it stands.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run } from "../command.mjs";
import { freePort, tryNode } from "./node-process.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */

const name = "parallax-control-plane.service";
const unit = readFileSync(join(root, "deploy/systemd", name), "utf8");
const program = join(root, "apps/control-plane/bin/parallax.js");

/** How open a unit may be, of 100: what systemd calls OK. */
const exposure = 30;

/** @param {string} key */
const valuesOf = (key) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => String(value));

/**
 * @param {(directory: string) => Promise<Outcome>} check
 * @returns {Promise<Outcome>}
 */
async function inDirectory(check) {
  const directory = mkdtempSync(join(tmpdir(), "parallax-unit-"));
  try {
    return await check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @returns {Promise<Outcome>} */
export function verifyUnit() {
  return inDirectory(async (directory) => {
    const file = join(directory, name);
    // It looks whether the program is there.
    writeFileSync(file, unit.replace("/usr/local/bin/parallax", program));
    const verified = await run("systemd-analyze", ["verify", "--man=no", file]);
    // Warnings, such as of an unknown key, end with 0.
    const ok = verified.ok && !verified.output.includes(name);
    if (!ok) return { ...verified, ok };
    return run("systemd-analyze", ["security", "--offline=true", `--threshold=${exposure}`, file]);
  });
}

/** @returns {Promise<Outcome>} */
export function runUnit() {
  return inDirectory(async (directory) => {
    const etc = join(directory, "etc");
    const credentials = join(directory, "credentials");
    for (const folder of [etc, credentials]) mkdirSync(folder);
    writeFileSync(join(credentials, "tokens"), "admin:from-a-credential\n");
    const port = await freePort();
    writeFileSync(join(etc, "parallax.config.yaml"), `server: { host: 127.0.0.1, port: ${port} }\n`);
    const local = (/** @type {string} */ text) =>
      text
        .replaceAll("%d", credentials)
        .replaceAll("/etc/parallax", etc)
        .replace("/usr/local/bin/parallax", program);
    const [command = "", ...args] = local(String(valuesOf("ExecStart")[0])).split(" ");
    const env = Object.fromEntries(
      valuesOf("Environment").map((text) => local(text).split(/=(.*)/s).slice(0, 2)),
    );
    return tryNode(
      { command, args, cwd: directory, port, env: { PATH: process.env.PATH, ...env } },
      async (url) => {
        const answers = await Promise.all(
          ["wrong", "from-a-credential"].map(async (token) => {
            const response = await fetch(`${url}/api/agents`, {
              headers: { Authorization: `Bearer ${token}` },
            });
            return response.status;
          }),
        );
        return answers.join() === "401,200"
          ? undefined
          : `tokens of the credential were answered ${answers.join()}`;
      },
    );
  });
}
