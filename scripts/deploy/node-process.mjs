// A node of the control plane, started as a deployment starts it.

import { spawn } from "node:child_process";
import { createServer } from "node:net";

/** @typedef {import("../command.mjs").Outcome} Outcome */

const readyTimeoutMs = 60_000;

/** @returns {Promise<number>} A port that nobody listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** @param {string} url */
async function isOk(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/**
 * Starts a node, waits until it is ready, looks at it, and tells it to stop: it has to end with exit code 0.
 *
 * @param {{ command: string; args: readonly string[]; env: NodeJS.ProcessEnv; cwd: string; port: number; uid?: number }} how
 * @param {(url: string) => Promise<string | undefined>} [look] Resolves with what is wrong.
 * @returns {Promise<Outcome>}
 */
export async function tryNode({ command, args, env, cwd, port, uid }, look = async () => undefined) {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid ? { uid, gid: uid } : {}),
  });
  const lines = /** @type {string[]} */ ([]);
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => lines.push(String(chunk)));
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code === 0 ? "" : `ended with ${signal ?? code}`));
  });
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + readyTimeoutMs;
  let ready = false;
  let early = /** @type {unknown} */ (undefined);
  ended.then((how) => {
    early = how;
  });
  while (!ready && early === undefined && Date.now() < deadline) {
    ready = await isOk(`${url}/health/ready`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const wrong = ready ? await look(url) : "it did not become ready";
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), readyTimeoutMs);
  const how = await ended;
  clearTimeout(killer);
  const problem = [wrong, how].filter(Boolean).join("; ");
  return { ok: problem === "", output: `${problem}\n${lines.join("")}` };
}
