import { fileURLToPath } from "node:url";
import { createClient } from "@parallax/client";
import { noopLogger, ParallaxError, systemClock } from "@parallax/core";
import { createMemorySpace, memoryBackends } from "../backends.ts";
import { loadConfig } from "../config/load.ts";
import type { Setting } from "../config/sources.ts";
import { runNode } from "../node/run-node.ts";
import { startChild } from "./children.ts";
import { freePort } from "./free-port.ts";

/** The nodes of a local cluster. */
export interface DevNodes {
  readonly urls: readonly string[];
  /** Rejects when the last node has ended that was not told to. The others go on when one of them ends. */
  readonly allEnded: Promise<never>;
  stop(): Promise<void>;
}

export interface StartNodesOptions {
  readonly count: number;
  readonly patternsDirectory: string;
  readonly bin: URL;
  readonly redisUrl: string | undefined;
  readonly logDirectory: string;
  readonly signal: AbortSignal;
  /** A node ended that was not told to. */
  readonly onEnded: (id: string, how: string) => void;
}

/** A local cluster leaves quickly, for there is no load balancer to wait for, and has a leader soon. */
const quick = { PARALLAX_DRAIN_TIMEOUT: "2s", PARALLAX_HA_LEASE_DURATION: "3s" };
const readyTimeoutMs = 30_000;

/** Real processes where there is a Redis; else all nodes in this process, on memory that they share. */
export async function startNodes(options: StartNodesOptions): Promise<DevNodes> {
  const ports = await Promise.all(Array.from({ length: options.count }, freePort));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const settings = ports.map((port, index) => ({
    port: String(port),
    id: `parallax-control-plane-${index}`,
  }));
  const { redisUrl, signal, onEnded } = options;
  const nodes = redisUrl === undefined ? embedded(settings, options) : processes(settings, redisUrl, options);
  const ends = nodes.map(({ id, ended }) => ended.then((how) => onEnded(id, how)));
  const allEnded = Promise.all(ends).then((): never => {
    throw new ParallaxError("nodes_ended", "running the cluster: all nodes have ended; see their logs");
  });
  allEnded.catch(() => {});
  const oneEnded = Promise.race(
    nodes.map(({ id, ended }) => ended.then((how) => Promise.reject(startError(id, how)))),
  );
  oneEnded.catch(() => {});
  await Promise.race([untilReady(urls, signal), oneEnded]);
  return { urls, allEnded, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

interface RunningNode {
  readonly id: string;
  /** How it ended, if it was not told to. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

interface NodeSettings {
  readonly port: string;
  readonly id: string;
}

function processes(
  settings: readonly NodeSettings[],
  redisUrl: string,
  options: StartNodesOptions,
): RunningNode[] {
  const { bin, patternsDirectory, logDirectory } = options;
  return settings.map(({ port, id }) => {
    const args = [fileURLToPath(bin), "start", "--ha", "--patterns", patternsDirectory];
    const env = {
      ...quick,
      PARALLAX_REDIS_URL: redisUrl,
      PARALLAX_NODE_ID: id,
      PARALLAX_PORT: port,
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
    };
    const child = startChild({ name: id, command: process.execPath, args, env, logDirectory });
    let stopping = false;
    return {
      id,
      ended: child.exited.then((how) => (stopping ? never : how)),
      stop() {
        stopping = true;
        return child.stop(5000);
      },
    };
  });
}

function embedded(
  settings: readonly NodeSettings[],
  { patternsDirectory }: StartNodesOptions,
): RunningNode[] {
  const space = createMemorySpace();
  return settings.map(({ port, id }) => {
    const environment = {
      ...quick,
      PARALLAX_PORT: port,
      PARALLAX_NODE_ID: id,
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
    };
    const { config } = loadConfig({ environment, flags: [patternsFlag(patternsDirectory)] });
    // The configuration asks for Redis where there are several nodes; these share their memory instead.
    const highAvailability = { ...config.highAvailability, enabled: true };
    const backends = memoryBackends(space);
    const controller = new AbortController();
    const running = runNode(
      { config: { ...config, highAvailability }, backends, logger: noopLogger },
      controller.signal,
    );
    return {
      id,
      ended: running.then(() => (controller.signal.aborted ? never : "a drain")),
      stop() {
        controller.abort();
        return running;
      },
    };
  });
}

function patternsFlag(value: string): Setting {
  return { path: ["patterns", "directory"], value, origin: { source: "flag", flag: "patterns" } };
}

/** What was told to end has not ended by itself. */
const never = new Promise<string>(() => {});

function startError(id: string, how: string): ParallaxError {
  return new ParallaxError("node_ended", `starting the cluster: node ${id} ended with ${how}; see its log`);
}

async function untilReady(urls: readonly string[], signal: AbortSignal): Promise<void> {
  const deadlineMs = systemClock.now() + readyTimeoutMs;
  for (const url of urls) {
    const client = createClient({ url });
    for (let ready = false; !ready; ) {
      ready = await client.health({ probe: "ready", signal }).then(
        ({ status }) => status !== "fail",
        () => false,
      );
      if (signal.aborted) return;
      if (systemClock.now() > deadlineMs)
        throw new ParallaxError(
          "not_ready",
          `starting the cluster: ${url} is not ready in time; see its log`,
        );
      if (!ready) await systemClock.sleep(50);
    }
  }
}
