import { fileURLToPath } from "node:url";
import { createClient } from "@parallax/client";
import { noopLogger, ParallaxError, systemClock } from "@parallax/core";
import { createMemorySpace, memoryBackends } from "../backends.ts";
import { loadConfig } from "../config/load.ts";
import { runNode } from "../node/run-node.ts";
import { startChild } from "./children.ts";
import { freePort } from "./free-port.ts";

/** The nodes of a local cluster. */
export interface DevNodes {
  readonly urls: readonly string[];
  /** Rejects when a node ends that was not told to. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

export interface StartNodesOptions {
  readonly count: number;
  readonly patternsDirectory: string;
  readonly bin: URL;
  readonly redisUrl: string | undefined;
  readonly logDirectory: string;
  readonly signal: AbortSignal;
}

/** A local cluster leaves quickly: there is no load balancer to wait for. */
const drainTimeout = "2s";
const readyTimeoutMs = 30_000;

/** Real processes where there is a Redis; else all nodes in this process, on memory that they share. */
export async function startNodes(options: StartNodesOptions): Promise<DevNodes> {
  const ports = await Promise.all(Array.from({ length: options.count }, freePort));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const settings = ports.map((port, index) => ({
    port: String(port),
    id: `parallax-control-plane-${index}`,
  }));
  const { redisUrl } = options;
  const nodes = redisUrl === undefined ? embedded(settings, options) : processes(settings, redisUrl, options);
  const failed = Promise.race(nodes.map(({ ended }) => ended));
  failed.catch(() => {});
  await Promise.race([untilReady(urls, options.signal), failed]);
  return { urls, failed, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

interface RunningNode {
  readonly ended: Promise<never>;
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
      PARALLAX_REDIS_URL: redisUrl,
      PARALLAX_NODE_ID: id,
      PARALLAX_PORT: port,
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
      PARALLAX_DRAIN_TIMEOUT: drainTimeout,
    };
    const child = startChild({ name: id, command: process.execPath, args, env, logDirectory });
    let stopping = false;
    const ended = child.exited.then(
      (code): Promise<never> => (stopping ? new Promise(() => {}) : Promise.reject(nodeEnded(id, code))),
    );
    return {
      ended,
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
    const environment = { PARALLAX_PORT: port, PARALLAX_NODE_ID: id, PARALLAX_DRAIN_TIMEOUT: drainTimeout };
    const { config } = loadConfig({
      file: undefined,
      environment,
      flags: [
        {
          path: ["patterns", "directory"],
          value: patternsDirectory,
          origin: { source: "flag", flag: "patterns" },
        },
        {
          path: ["node", "address"],
          value: `127.0.0.1:${port}`,
          origin: { source: "flag", flag: "address" },
        },
      ],
    });
    const controller = new AbortController();
    const running = runNode(
      { config, backends: memoryBackends(space), logger: noopLogger },
      controller.signal,
    );
    return {
      ended: running.then(
        (): Promise<never> =>
          controller.signal.aborted ? new Promise(() => {}) : Promise.reject(nodeEnded(id, 0)),
      ),
      stop() {
        controller.abort();
        return running;
      },
    };
  });
}

function nodeEnded(id: string, code: number | null): ParallaxError {
  return new ParallaxError(
    "node_ended",
    `running the cluster: node ${id} ended with code ${code ?? "none"}; see its log`,
  );
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
