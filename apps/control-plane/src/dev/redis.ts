import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ParallaxError } from "@parallax/core";
import { createConnections } from "@parallax/redis";
import { type Child, startChild } from "./children.ts";
import { freePort } from "./free-port.ts";

/** A Redis for a local cluster: the one that was given, or a private one that ends with the cluster. */
export interface DevRedis {
  readonly url: string;
  readonly description: string;
  stop(): Promise<void>;
}

/** How long a private server may take until it answers, in ms. */
const startTimeoutMs = 5000;

/** Undefined where no Redis is given and none is installed. */
export async function openDevRedis(
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
  bin: URL,
): Promise<DevRedis | undefined> {
  const given = environment.PARALLAX_REDIS_URL;
  if (given) return { url: given, description: "Redis of PARALLAX_REDIS_URL", stop: async () => {} };
  const command = findOnPath("redis-server", environment.PATH);
  if (command === undefined) return undefined;
  const port = await freePort();
  const settings = { port: String(port), bind: "127.0.0.1", dir: directory, save: "", appendonly: "no" };
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  const server = startChild({
    name: "redis",
    command: process.execPath,
    args: [fileURLToPath(bin), "dev-redis", command, "--", ...flags],
    logDirectory: directory,
  });
  const url = `redis://127.0.0.1:${port}`;
  await untilReady(url, server);
  return { url, description: `a private Redis on port ${port}`, stop: () => server.stop(2000) };
}

async function untilReady(url: string, server: Child): Promise<void> {
  const connections = createConnections({ url });
  try {
    const ended = server.exited.then(() => {
      throw new ParallaxError(
        "redis_failed",
        "starting a private Redis: redis-server ended at once; see redis.log",
      );
    });
    await Promise.race([connections.data.ready({ timeoutMs: startTimeoutMs }), ended]);
    ended.catch(() => {});
    await sleep(0);
  } finally {
    await connections.close();
  }
}

function findOnPath(name: string, path = ""): string | undefined {
  const candidates = path
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
