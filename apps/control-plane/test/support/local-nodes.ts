import { ParallaxAgent, type TaskHandler } from "@parallax/agent";
import { createClient, type ParallaxClient } from "@parallax/client";
import { type Logger, noopLogger } from "@parallax/core";
import type { PatternDefinition } from "@parallax/protocol";
import {
  createMemorySpace,
  type MemorySpace,
  memoryBackends,
  redisBackends,
  usesRedis,
} from "../../src/backends.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Setting } from "../../src/config/sources.ts";
import { runNode } from "../../src/node/run-node.ts";

/** Settings as `path.to.key: value`; they beat the short times of {@link startNodes}. */
export type Settings = Readonly<Record<string, unknown>>;

/** Short times, so that what waits for them is seen soon. */
const shortTimes: Settings = {
  "highAvailability.leaderElection.leaseDuration": "1500ms",
  "highAvailability.memberHealth.checkInterval": "500ms",
  "highAvailability.memberHealth.timeout": "300ms",
  "server.drainTimeout": "1s",
  "agents.reconnectGrace": "2s",
  "patterns.directory": "./no-such-directory",
};

/** A node in this process. */
export interface LocalNode {
  readonly id: string;
  readonly url: string;
  /** Settles when the node has ended, however that came. */
  readonly ended: Promise<void>;
  /** SIGTERM: it drains, leaves and ends. */
  stop(): Promise<void>;
}

/** Nodes in this process, on one memory that they share. */
export interface LocalNodes {
  readonly space: MemorySpace;
  readonly urls: readonly string[];
  node(index: number): LocalNode;
  start(id: string, settings?: Settings, logger?: Logger): Promise<LocalNode>;
  /** The client of one node, or of all. */
  client(index?: number, token?: string): ParallaxClient;
  /** An agent of one node, or one that may go to any. */
  agent(options: AgentOptions): Promise<ParallaxAgent>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly handler: TaskHandler;
  /** The node that it connects to. Default: any. */
  readonly at?: number;
  readonly name?: string;
  /** Default `work`. */
  readonly capability?: string;
  readonly slots?: number;
  readonly token?: string;
}

/** Settings that a node is loaded with, as if they came from flags. */
export function settingsOf(settings: Settings): Setting[] {
  return Object.entries(settings).map(([path, value]) => ({
    path: path.split("."),
    value,
    origin: { source: "flag", flag: path },
  }));
}

/** Starts nodes `node-0`, `node-1`, … and waits until all are ready: on Redis where the settings name one. */
export async function startNodes(count: number, settings: Settings = {}): Promise<LocalNodes> {
  const space = createMemorySpace();
  const nodes: LocalNode[] = [];
  const agents: ParallaxAgent[] = [];

  async function start(id: string, own: Settings = {}, logger: Logger = noopLogger): Promise<LocalNode> {
    const flags = settingsOf({ ...shortTimes, "server.port": 0, "node.id": id, ...settings, ...own });
    const { config } = loadConfig({ environment: {}, flags });
    const controller = new AbortController();
    let onReady: (url: string) => void = () => {};
    const ready = new Promise<string>((resolve) => (onReady = resolve));
    const backends = usesRedis(config) ? redisBackends(config, logger, () => {}) : memoryBackends(space);
    const ended = runNode(
      { config, backends, logger, onReady: ({ url }) => onReady(url) },
      controller.signal,
    );
    ended.catch(() => {});
    const url = await Promise.race([
      ready,
      ended.then(() => Promise.reject(new Error(`node ${id} ended before it was ready`))),
    ]);
    const node: LocalNode = {
      id,
      url,
      ended,
      stop() {
        controller.abort();
        return ended;
      },
    };
    nodes.push(node);
    return node;
  }

  await Promise.all(Array.from({ length: count }, (_, index) => start(`node-${index}`)));
  nodes.sort((a, b) => (a.id < b.id ? -1 : 1));

  function node(index: number): LocalNode {
    const found = nodes[index];
    if (!found) throw new Error(`there is no node ${index}`);
    return found;
  }

  return {
    space,
    get urls() {
      return nodes.map(({ url }) => url);
    },
    node,
    start,
    client(index, token) {
      const url = index === undefined ? nodes.map((each) => each.url) : node(index).url;
      return createClient({ url, ...(token === undefined ? {} : { token }) });
    },
    async agent({ handler, at, name = "agent", capability = "work", slots = 1, token }) {
      const agent = new ParallaxAgent({
        controlPlaneUrl: at === undefined ? nodes.map(({ url }) => url) : node(at).url,
        name,
        maxConcurrentTasks: slots,
        reconnect: { maxRetries: Number.POSITIVE_INFINITY, backoff: { initial: 50, max: 200 } },
        ...(token === undefined ? {} : { token }),
      });
      agent.onTask(capability, handler);
      agents.push(agent);
      await agent.start();
      return agent;
    },
    async stop() {
      await Promise.all(agents.map((agent) => agent.stop({ timeout: 0 })));
      await Promise.allSettled(nodes.map((each) => each.stop()));
    },
  };
}

/** A pattern that asks agents of the capability `work`. */
export function workPattern(name: string, changes: Partial<PatternDefinition> = {}): PatternDefinition {
  return {
    name,
    capabilities: ["work"],
    agents: { min: 1, max: 1 },
    retries: 0,
    aggregate: { strategy: "majority" },
    ...changes,
  };
}
