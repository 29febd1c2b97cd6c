import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bundleInto,
  createTemporaryDirectory,
  freePort,
  type ProcessFixture,
  type RedisFixture,
  startProcess,
  startRedis,
} from "@parallax/testing";
import type { Plugin } from "esbuild";

const controlPlane = join(import.meta.dirname, "../../apps/control-plane");

/** The program `parallax` from the sources of the workspace, without a build, in a folder that stands for its package. */
export async function bundleProgram(directory: string, plugins: Plugin[] = []): Promise<string> {
  const outfile = join(directory, "dist/bin.mjs");
  await bundleInto(outfile, join(controlPlane, "src/bin.ts"), { plugins });
  await copyFile(join(controlPlane, "package.json"), join(directory, "package.json"));
  return outfile;
}

/** A `parallax start` process. */
export interface Node {
  readonly id: string;
  readonly port: number;
  readonly url: string;
  /** The version that it runs. */
  program: string;
  process: ProcessFixture;
}

export interface Cluster {
  readonly redis: RedisFixture;
  readonly nodes: readonly Node[];
  /** The ports of the nodes, those that are still to be added included. */
  readonly ports: readonly number[];
  /** One more node. Resolves once it is ready. */
  add(): Promise<Node>;
  /** Starts a node that has ended again, on its port, from then on with another version if one is named. Resolves once it is ready. */
  restart(node: Node, program?: string): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly nodes: number;
  /** How many nodes are added later. Default 0. */
  readonly spare?: number;
  /** Further lines of `parallax.config.yaml`. */
  readonly config?: string;
  readonly patterns?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeArgs?: readonly string[];
  /** The version that nodes run: PARALLAX_PROGRAM, else the one of these sources. */
  readonly program?: string;
}

/** Starts Redis and nodes on it, as processes, and waits until all are ready. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { nodes: count, spare = 0, config = "", patterns = {}, nodeArgs = [] } = options;
  const directory = await createTemporaryDirectory("bench-agents");
  const given = options.program ?? process.env.PARALLAX_PROGRAM;
  const usual = given ?? (await bundleProgram(directory.path));
  const redis = await startRedis();
  const file = join(directory.path, "parallax.config.yaml");
  await mkdir(join(directory.path, "patterns"));
  for (const [name, text] of Object.entries(patterns))
    await writeFile(join(directory.path, "patterns", `${name}.yaml`), text);
  const where = `redis: { url: "${redis.url}" }\npatterns: { directory: ${directory.path}/patterns }\n`;
  await writeFile(file, `highAvailability:\n  enabled: true\n${config}\n${where}`);
  const nodes: Node[] = [];
  const ports: number[] = [];
  while (ports.length < count + spare) ports.push(await freePort());

  async function launch(id: string, port: number, script: string): Promise<ProcessFixture> {
    const address = `127.0.0.1:${port}`;
    const env = { PARALLAX_NODE_ID: id, PARALLAX_PORT: String(port), PARALLAX_ADVERTISE_ADDRESS: address };
    const process = await startProcess({ script, args: ["start", "--config", file], env, nodeArgs });
    await process.answers(`http://${address}/health/ready`, { timeoutMs: 60_000 });
    return process;
  }

  async function add(): Promise<Node> {
    const id = `parallax-control-plane-${nodes.length}`;
    const port = ports[nodes.length];
    if (port === undefined) throw new Error("adding a node: say with `spare` that there will be one more");
    const url = `http://127.0.0.1:${port}`;
    const node: Node = { id, port, url, program: usual, process: await launch(id, port, usual) };
    nodes.push(node);
    return node;
  }

  for (let index = 0; index < count; index += 1) await add();
  return {
    redis,
    nodes,
    ports,
    add,
    async restart(node, program = node.program) {
      node.program = program;
      node.process = await launch(node.id, node.port, program);
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.process.kill()));
      await redis.stop();
      await directory.remove();
    },
  };
}
