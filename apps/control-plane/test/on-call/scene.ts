import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createFaultProxy,
  createTemporaryDirectory,
  eventually,
  type FaultProxy,
  freePort,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { startAgents, startStream } from "../processes/load.ts";
import type { ClusterEvidence } from "./evidence.ts";
import { evidenceOf } from "./evidence.ts";

const bin = fileURLToPath(new URL("../../bin/parallax.js", import.meta.url));
const rules = fileURLToPath(new URL("../../../../deploy/prometheus/alerts.yml", import.meta.url));

/** Times that let Redis be slow without costing the lease, and that a person can wait for. */
const config = (directory: string): string => `
highAvailability:
  enabled: true
  clusterId: production
  leaderElection: { leaseDuration: 9s }
  memberHealth: { checkInterval: 2s, timeout: 1800ms }
patterns: { directory: ${directory}/patterns }
server: { drainTimeout: 3s, terminationGrace: 20s }
`;

const pattern = `
name: shout
capabilities: [shouting]
agents: { min: 1, max: 1 }
timeout: 60s
aggregate: { strategy: first }
`;

/** A node, a process of its own, that reaches Redis through a network of its own. */
export interface SceneNode {
  readonly id: string;
  readonly url: string;
  readonly network: FaultProxy;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<unknown>;
  isReady(): Promise<boolean>;
}

/** Three nodes under a little load, and Prometheus with the alerts of this repository. */
export interface Scene extends ClusterEvidence {
  readonly redis: RedisFixture;
  node(index: number): SceneNode;
  /** Starts node `index`, on `redisUrl` instead of its own network if it is given. */
  start(index: number, redisUrl?: string): Promise<SceneNode>;
  stop(): Promise<void>;
}

export async function setScene(): Promise<Scene> {
  const directory = await createTemporaryDirectory("parallax-on-call-");
  const redis = await startRedis();
  await mkdir(join(directory.path, "patterns"));
  await writeFile(join(directory.path, "patterns", "shout.yaml"), pattern);
  const file = join(directory.path, "parallax.config.yaml");
  await writeFile(file, config(directory.path));
  const ports = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const networks = await Promise.all(ports.map(() => createFaultProxy({ target: { port: redis.port } })));
  const nodes = new Map<number, SceneNode>();
  const children: ChildProcess[] = [];

  async function start(index: number, redisUrl?: string): Promise<SceneNode> {
    const [port, network] = [ports[index], networks[index]];
    if (port === undefined || network === undefined) throw new Error(`there is no place for node ${index}`);
    const url = `http://127.0.0.1:${port}`;
    const env = {
      PARALLAX_NODE_ID: `node-${index}`,
      PARALLAX_NODE_ZONE: `zone-${index}`,
      PARALLAX_PORT: String(port),
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
      PARALLAX_REDIS_URL: redisUrl ?? network.url,
    };
    const child = spawn(process.execPath, [bin, "start", "--config", file], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.push(child);
    const node: SceneNode = {
      id: env.PARALLAX_NODE_ID,
      url,
      network,
      kill: (signal) => child.kill(signal),
      exited: once(child, "exit"),
      isReady: async () => (await fetch(`${url}/health/ready`)).ok,
    };
    nodes.set(index, node);
    await eventually(() => node.isReady(), { message: `${node.id} to be ready`, timeoutMs: 40_000 });
    return node;
  }

  await Promise.all([0, 1, 2].map((index) => start(index)));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const agents = await startAgents(2, urls.slice(0, 3));
  const stream = startStream({ urls: () => urls.slice(0, 3), everyMs: 200, isUp: () => false });
  const prometheus = await startPrometheus(directory.path, ports);
  return {
    ...evidenceOf({ bin, urls, prometheusUrl: prometheus.url }),
    redis,
    start,
    node(index) {
      const node = nodes.get(index);
      if (!node) throw new Error(`node ${index} was not started`);
      return node;
    },
    async stop() {
      await stream.stop();
      await agents.stop();
      for (const child of [...children, prometheus.child]) child.kill("SIGKILL");
      await Promise.all(networks.map((network) => network.stop()));
      await redis.stop();
      await directory.remove();
    },
  };
}

async function startPrometheus(
  directory: string,
  ports: readonly number[],
): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const targets = ports.map((port) => `127.0.0.1:${port}`);
  const settings = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: [{ job_name: "parallax", static_configs: [{ targets }] }],
  };
  const file = join(directory, "prometheus.yml");
  // JSON is YAML.
  await writeFile(file, JSON.stringify(settings));
  const port = await freePort();
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(directory, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
  ];
  const child = spawn("prometheus", args, { stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/-/ready`)).ok, {
    message: "Prometheus to be ready (apt-get install prometheus)",
    timeoutMs: 30_000,
  });
  return { url, child };
}
