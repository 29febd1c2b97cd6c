import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createFaultProxy,
  createTemporaryDirectory,
  eventually,
  type FaultProxy,
  freePort,
  type RedisFixture,
  type SentinelFixture,
  startRedis,
} from "@parallax/testing";
import { startAgents, startStream } from "../processes/load.ts";
import { type ClusterEvidence, evidenceOf } from "./evidence.ts";
import { openRunbook, type Runbook } from "./runbook.ts";

const bin = fileURLToPath(new URL("../../bin/parallax.js", import.meta.url));
const rules = fileURLToPath(new URL("../../../../deploy/prometheus/alerts.yml", import.meta.url));

/** Times that let Redis be slow without costing the lease, and that a person can wait for. */
const config = (directory: string, redis: string): string => `
highAvailability:
  enabled: true
  clusterId: production
  leaderElection: { leaseDuration: 9s }
  memberHealth: { checkInterval: 2s, timeout: 1800ms }
patterns: { directory: ${directory}/patterns }
server: { drainTimeout: 3s, terminationGrace: 20s }
${redis}
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
  /** What the pages say, typed by somebody who has the scene before them. */
  readonly runbook: Runbook;
  /** The folder that commands are typed in: it has the configuration file of the nodes. */
  readonly directory: string;
  /** Where each of the five nodes is, or would be. */
  readonly urls: readonly string[];
  node(index: number): SceneNode;
  /** Starts node `index`, with these variables if they are given, and waits until it is ready. */
  start(index: number, env?: Readonly<Record<string, string>>): Promise<SceneNode>;
  stop(): Promise<void>;
}

/** How many nodes have a place: three that run, and two for later. */
const places = 5;

export async function setScene(sentinel?: SentinelFixture): Promise<Scene> {
  const directory = await createTemporaryDirectory("parallax-on-call-");
  const redis = (await sentinel?.primary()) ?? (await startRedis({ persistent: true }));
  const file = await writeFiles(directory.path, sentinel);
  const ports = await Promise.all(Array.from({ length: places }, () => freePort()));
  const networks = await Promise.all(ports.map(() => createFaultProxy({ target: { port: redis.port } })));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const nodes = new Map<number, SceneNode>();
  const children: ChildProcess[] = [];

  async function start(index: number, given: Readonly<Record<string, string>> = {}): Promise<SceneNode> {
    const [port, network, url] = [ports[index], networks[index], urls[index]];
    if (!port || !network || !url) throw new Error(`there is no place for node ${index}`);
    const env = {
      PARALLAX_NODE_ID: `node-${index}`,
      PARALLAX_NODE_ZONE: `zone-${index}`,
      PARALLAX_PORT: String(port),
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
      ...(sentinel ? {} : { PARALLAX_REDIS_URL: network.url }),
      ...given,
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
  const agents = await startAgents(2, urls.slice(0, 3));
  const stream = startStream({ urls: () => urls.slice(0, 3), everyMs: 200, isUp: () => false });
  const prometheus = await startPrometheus(directory.path, ports);
  const runbook = await openRunbook({
    directory: directory.path,
    bin,
    redisPort: redis.port,
    where: { ...addressesOf(urls), "-h redis": "-h 127.0.0.1" },
    env: { PARALLAX_URL: urls.slice(0, 3).join(",") },
  });
  return {
    // The fourth place is for a node that nobody was told of: the doctor is given its address, too.
    ...evidenceOf({ bin, urls: urls.slice(0, 4), prometheusUrl: prometheus.url }),
    ...{ redis, runbook, directory: directory.path, urls, start },
    node(index) {
      const node = nodes.get(index);
      if (!node) throw new Error(`node ${index} was not started`);
      return node;
    },
    async stop() {
      runbook.stop();
      await stream.stop();
      await agents.stop();
      for (const child of [...children, prometheus.child]) child.kill("SIGKILL");
      await Promise.all(networks.map((network) => network.stop()));
      if (!sentinel) await redis.stop();
      await directory.remove();
    },
  };
}

/** The addresses in the pages, and where they are here. */
function addressesOf(urls: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(urls.map((url, index) => [`http://node-${index}:8080`, url]));
}

/** Configuration, a pattern in the directory of patterns, and one that was only `PUT`. Returns the configuration's path. */
async function writeFiles(directory: string, sentinel: SentinelFixture | undefined): Promise<string> {
  const redis = sentinel ? `redis: ${JSON.stringify(sentinel.where)}` : "";
  const files = {
    "parallax.config.yaml": config(directory, redis),
    "patterns/shout.yaml": pattern,
    "put-patterns/whisper.json": JSON.stringify({
      capabilities: ["shouting"],
      aggregate: { strategy: "first" },
    }),
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return join(directory, "parallax.config.yaml");
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
