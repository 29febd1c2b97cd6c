// The scripts of the Redis that comes with the chart, run as its containers run them: three servers and three Sentinels, on
// addresses of their own. The primary is killed, comes back, comes back without its data, and at last all of them are killed.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../command.mjs";
import { chart } from "./charts.mjs";
import { freePort } from "./node-process.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */
/** @typedef {{ host: string; data: string; redis?: import("node:child_process").ChildProcess; sentinel?: import("node:child_process").ChildProcess }} Server */

const scripts = join(chart, "charts/redis/files");
const password = "of-the-test";
const waitMs = 60_000;

/** @param {string} directory */
async function createServers(directory) {
  const [port, sentinelPort] = [await freePort(), await freePort()];
  const hosts = ["127.0.0.11", "127.0.0.12", "127.0.0.13"];
  const servers = hosts.map((host, index) => {
    const data = join(directory, String(index));
    mkdirSync(data);
    return /** @type {Server} */ ({ host, data });
  });
  const output = /** @type {string[]} */ ([]);

  /** @param {Server} server @param {"redis" | "sentinel"} part */
  function start(server, part) {
    const env = {
      ...process.env,
      REDIS_HOSTS: hosts.join(" "),
      REDIS_HOST: server.host,
      REDIS_BIND: server.host,
      REDIS_DATA: server.data,
      REDIS_PORT: String(port),
      SENTINEL_PORT: String(sentinelPort),
      REDIS_PASSWORD: password,
      SENTINEL_MASTER: "mymaster",
      SENTINEL_DOWN_AFTER: "1000",
      SENTINEL_FAILOVER_TIMEOUT: "5000",
    };
    const child = spawn("sh", [join(scripts, `start-${part}.sh`)], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => output.push(`${server.host} ${part}: ${chunk}`));
    server[part] = child;
  }

  /** @param {Server} server @param {readonly ("redis" | "sentinel")[]} parts */
  async function kill(server, parts = ["redis", "sentinel"]) {
    for (const part of parts) {
      const child = server[part];
      if (!child || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  /** @param {Server} server @param {readonly string[]} command */
  async function send(server, ...command) {
    const args = ["-h", server.host, "-p", String(port), "--no-auth-warning", ...command];
    return (
      await run("timeout", ["2", "redis-cli", ...args], { env: { REDISCLI_AUTH: password } })
    ).output.trim();
  }

  /** The one server that says it is the primary and has `replicas`. @param {number} replicas */
  const primary = (replicas) =>
    until(`a primary with ${replicas} replicas`, async () => {
      const infos = await Promise.all(servers.map((server) => send(server, "INFO", "replication")));
      const primaries = servers.filter((_, index) => infos[index]?.includes("role:master"));
      const [only] = primaries;
      const online =
        infos[servers.indexOf(/** @type {Server} */ (only))]?.match(/state=online/g)?.length ?? 0;
      return primaries.length === 1 && online === replicas ? only : undefined;
    });

  return {
    servers,
    output,
    send,
    kill,
    primary,
    /** @param {Server} server */
    startBoth(server) {
      start(server, "redis");
      start(server, "sentinel");
    },
    start,
    sentinelsKnow: () =>
      until("every Sentinel to know the others", async () => {
        const known = await Promise.all(
          servers.map(async ({ host }) => {
            const args = ["2", "redis-cli", "-h", host, "-p", String(sentinelPort), "info", "sentinel"];
            return (await run("timeout", args)).output;
          }),
        );
        return known.every((text) => text.includes("slaves=2,sentinels=3")) ? true : undefined;
      }),
    stop: () => Promise.all(servers.map((server) => kill(server))),
  };
}

/**
 * @template Value
 * @param {string} what
 * @param {() => Promise<Value | undefined>} probe
 */
async function until(what, probe) {
  const deadline = Date.now() + waitMs;
  while (Date.now() < deadline) {
    const found = await probe();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`no ${what} within ${waitMs / 1000} s`);
}

/** @param {Awaited<ReturnType<typeof createServers>>} redis */
async function lifeOfAChart({ servers, send, kill, primary, start, startBoth, sentinelsKnow }) {
  for (const server of servers) startBoth(server);
  const first = await primary(2);
  await sentinelsKnow();
  const put = async (/** @type {string} */ key) => {
    const server = await primary(2);
    await send(server, "SET", key, "kept");
    await send(server, "WAIT", "2", "5000");
  };
  await put("before");

  await kill(first, ["redis"]);
  const second = await primary(1);
  start(first, "redis");
  await put("after the first fail-over");

  // As where a volume is lost: it must not come back as an empty primary.
  await kill(second, ["redis"]);
  rmSync(second.data, { recursive: true });
  mkdirSync(second.data);
  start(second, "redis");
  await put("after a lost volume");
  await sentinelsKnow();

  for (const server of servers) await kill(server);
  for (const server of servers) startBoth(server);
  const last = await primary(2);
  for (const key of ["before", "after the first fail-over", "after a lost volume"])
    if ((await send(last, "GET", key)) !== "kept") throw new Error(`what was written ${key} is gone`);
}

/** @returns {Promise<Outcome>} */
export async function checkRedisScripts() {
  const directory = mkdtempSync(join(tmpdir(), "parallax-redis-"));
  const redis = await createServers(directory);
  try {
    await lifeOfAChart(redis);
    return { ok: true, output: "" };
  } catch (error) {
    return {
      ok: false,
      output: `${error instanceof Error ? error.message : error}\n${redis.output
        .filter((line) => !line.includes("waiting for"))
        .join("")
        .slice(0, 6000)}`,
    };
  } finally {
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
