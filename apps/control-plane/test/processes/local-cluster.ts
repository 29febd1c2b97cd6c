import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, freePort, type RedisFixture, startRedis } from "@parallax/testing";

const bin = fileURLToPath(new URL("../../bin/parallax.js", import.meta.url));

/** What a program printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `parallax` to its end. */
export async function parallax(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

/** A node: a `parallax start` process. */
export interface NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly output: () => string;
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  isRunning(): boolean;
}

export interface LocalCluster {
  readonly redis: RedisFixture;
  /** The nodes' directory of patterns; each reads it at its start. */
  readonly patterns: string;
  readonly nodes: readonly NodeProcess[];
  readonly urls: readonly string[];
  node(id: string): NodeProcess;
  /** Waits for a node that leads. */
  leader(): Promise<NodeProcess>;
  /** Starts one more node, or a new process for an id that had one, on its port. Resolves once it is ready. */
  start(id: string, env?: Readonly<Record<string, string>>): Promise<NodeProcess>;
  /** Starts a process and does not wait for it to be ready. */
  launch(id: string, port: number, env?: Readonly<Record<string, string>>): NodeProcess;
  stop(): Promise<void>;
}

/** Short times, so that a test takes seconds: a lease of 3 s, failed after three missed seconds. */
const shortTimes = `
highAvailability:
  enabled: true
  clusterId: production
  leaderElection: { leaseDuration: 3s }
  memberHealth: { checkInterval: 1s, timeout: 600ms }
agents: { reconnectGrace: 5s }
log: { level: debug }
`;

/** The pattern of the tests: three agents have to agree. */
const pattern = `
name: shout
capabilities: [shouting]
agents: { min: 3, max: 3 }
timeout: 60s
retries: 2
aggregate: { strategy: majority }
`;

export interface ClusterOptions {
  /** YAML, without `patterns` and `redis`. Default: high availability with short times. */
  readonly config?: string;
  /** What lies in the directory of patterns, by name. Default: `shout.yaml`. */
  readonly patterns?: Readonly<Record<string, string>>;
}

/** Starts Redis and so many `parallax start` processes on it, and waits until all of them are ready. */
export async function startCluster(count: number, options: ClusterOptions = {}): Promise<LocalCluster> {
  const directory = await mkdtemp(join(tmpdir(), "parallax-cluster-"));
  const patterns = join(directory, "patterns");
  const redis = await startRedis();
  const file = join(directory, "parallax.config.yaml");
  await mkdir(patterns);
  for (const [name, text] of Object.entries(options.patterns ?? { "shout.yaml": pattern }))
    await writeFile(join(patterns, name), text);
  await writeFile(
    file,
    `${options.config ?? shortTimes}patterns: { directory: ${patterns} }\nredis: { url: "${redis.url}" }\n`,
  );
  const running = new Map<string, NodeProcess>();
  const ports = new Map<string, number>();
  const all: NodeProcess[] = [];

  function launch(id: string, port: number, env: Readonly<Record<string, string>> = {}): NodeProcess {
    const settings = {
      PARALLAX_NODE_ID: id,
      PARALLAX_PORT: String(port),
      PARALLAX_ADVERTISE_ADDRESS: `127.0.0.1:${port}`,
    };
    const child = spawn(process.execPath, [bin, "start", "--config", file], {
      env: { ...process.env, ...settings, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const node = nodeOf(child, id, port);
    all.push(node);
    return node;
  }

  async function start(id: string, env?: Readonly<Record<string, string>>): Promise<NodeProcess> {
    const port = ports.get(id) ?? (await freePort());
    ports.set(id, port);
    const node = launch(id, port, env);
    running.set(id, node);
    const ready = eventually(async () => (await fetch(`${node.url}/health/ready`)).ok, {
      message: `node ${id} to be ready`,
      timeoutMs: 60_000,
    });
    const ended = node.exited.then((code) => Promise.reject(new Error(`it ended with code ${code}`)));
    await Promise.race([ready, ended]).catch((cause: unknown) => {
      throw new Error(`node ${id} did not become ready; it said:\n${node.output()}`, { cause });
    });
    ended.catch(() => {});
    ready.catch(() => {});
    return node;
  }

  function node(id: string): NodeProcess {
    const found = running.get(id);
    if (!found) throw new Error(`there is no node ${id}`);
    return found;
  }

  await Promise.all(Array.from({ length: count }, (_, index) => start(`parallax-control-plane-${index}`)));
  return {
    redis,
    patterns,
    get nodes() {
      return [...running.values()].filter((each) => each.isRunning());
    },
    get urls() {
      return [...running.values()].filter((each) => each.isRunning()).map(({ url }) => url);
    },
    node,
    async leader() {
      const look = (): Promise<unknown> => redis.send("GET", "parallax:ha:leader");
      return node(String(await eventually(look, { message: "a leader" })));
    },
    start,
    launch,
    async stop() {
      for (const each of all) each.kill("SIGKILL");
      await Promise.all(all.map(({ exited }) => exited));
      await redis.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function nodeOf(child: ChildProcess, id: string, port: number): NodeProcess {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  return {
    id,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    exited,
    kill(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
  };
}
