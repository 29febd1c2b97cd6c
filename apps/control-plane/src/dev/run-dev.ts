import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Io } from "@parallax/cli";
import { createClient } from "@parallax/client";
import { errorMessage, ParallaxError, systemClock } from "@parallax/core";
import { type Child, startChild } from "./children.ts";
import { type DevNodes, startNodes } from "./nodes.ts";
import { type DevRedis, openDevRedis } from "./redis.ts";
import { createScreen, type DevScreen } from "./screen.ts";
import type { DevWorkload } from "./workload.ts";

export interface DevOptions {
  /** The program that nodes and agents are started with. */
  readonly bin: URL;
  readonly io: Io;
  readonly nodes: number;
  /** How many demonstration agents, where no workload brings its own. */
  readonly agents: number;
  /** A directory of a package that exports a `workload`. */
  readonly workload: string | undefined;
  /** End when the workload has. */
  readonly exit: boolean;
}

/** How often the view of the cluster is drawn anew, in ms. */
const viewEveryMs = 500;
/** How long agents may take to connect, in ms. */
const agentsTimeoutMs = 30_000;

/** Runs a local cluster until it is interrupted, or with `exit` until its workload has ended. Whether all went well. */
export async function runDev(options: DevOptions): Promise<boolean> {
  const { io } = options;
  const screen = createScreen(io);
  const workload = options.workload === undefined ? undefined : await loadWorkload(options.workload);
  const directory = await mkdtemp(join(tmpdir(), "parallax-dev-"));
  const stops: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    const redis = await openDevRedis(io.env, directory, options.bin);
    if (redis) stops.push(() => redis.stop());
    introduce(screen, redis, options.nodes);
    const patternsDirectory = workload
      ? fileURLToPath(workload.patternsDirectory)
      : await writeDemoPattern(directory);
    const { bin, nodes: count } = options;
    const nodes = await startNodes({
      count,
      patternsDirectory,
      bin,
      redisUrl: redis?.url,
      logDirectory: directory,
      signal: io.signal,
      onEnded: (id, how) => screen.line(`${id} has ended (${how}); the others go on.`),
    });
    stops.push(() => nodes.stop());
    const agents = startAgents(options, workload, nodes.urls, directory);
    stops.push(async () => void (await Promise.all(agents.map((agent) => agent.stop(3000)))));
    await agentsConnected(nodes, agents.length, io.signal);
    screen.line(`${count} nodes and ${agents.length} agents are up.`);
    return await useCluster({ options, screen, workload, nodes, logs: redis ? directory : undefined });
  } finally {
    screen.stop();
    if (io.isTty) io.err("stopping the cluster …");
    for (const stop of stops.reverse()) await stop();
  }
}

function introduce(screen: DevScreen, redis: DevRedis | undefined, nodes: number): void {
  if (redis) {
    screen.line(`Starting ${nodes} nodes, each a process of its own, on ${redis.description}.`);
    return;
  }
  screen.line(
    `Starting ${nodes} nodes in one process on the embedded memory backend: there is no redis-server on the PATH and no PARALLAX_REDIS_URL.`,
  );
  screen.line(
    "With Redis each node would be a process of its own, could be killed and replaced, and the state would outlive it.",
  );
}

async function useCluster(run: {
  readonly options: DevOptions;
  readonly screen: DevScreen;
  readonly workload: DevWorkload | undefined;
  readonly nodes: DevNodes;
  readonly logs: string | undefined;
}): Promise<boolean> {
  const { options, screen, workload, nodes, logs } = run;
  const { signal } = options.io;
  const stopView = new AbortController();
  const view = drawCluster(screen, nodes.urls, stopView.signal);
  let ok = true;
  try {
    if (workload)
      ok = await Promise.race([runWorkload(workload, nodes.urls, screen, signal), nodes.allEnded]);
    if (!options.exit && !signal.aborted) {
      screen.line(whereToLook(nodes.urls, logs));
      await Promise.race([interrupted(signal), nodes.allEnded]);
    }
    return ok || signal.aborted;
  } finally {
    stopView.abort();
    await view;
  }
}

async function runWorkload(
  workload: DevWorkload,
  urls: readonly string[],
  screen: DevScreen,
  signal: AbortSignal,
): Promise<boolean> {
  screen.line(`Running ${workload.name} …`);
  const run = { urls, signal, progress: screen.progress, log: (line: string) => screen.line(line) };
  try {
    const { text, ok } = await workload.run(run);
    screen.line(`\n${text}`);
    return ok;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

async function drawCluster(screen: DevScreen, urls: readonly string[], signal: AbortSignal): Promise<void> {
  const client = createClient({ url: urls });
  while (!signal.aborted) {
    const status = await client.haStatus({ signal }).catch(() => undefined);
    if (!signal.aborted) screen.status(status);
    await systemClock.sleep(viewEveryMs, signal).catch(() => {});
  }
}

function whereToLook(urls: readonly string[], logs: string | undefined): string {
  const [url = ""] = urls;
  // As it is reached from here: in a project that has it, or installed for everybody.
  const local = "node_modules/.bin/parallax";
  const parallax = existsSync(local) ? local : "parallax";
  return [
    "",
    "The cluster goes on until Ctrl-C. Where to look next:",
    `  ${parallax} --url ${url} ha status --watch`,
    `  ${parallax} --url ${url} ha stepdown`,
    `  curl ${url}/ha/status        curl ${url}/metrics        curl ${url}/api/executions`,
    ...(logs === undefined ? [] : [`  the nodes' logs: ${logs}`]),
    `  all nodes: ${urls.join("  ")}`,
  ].join("\n");
}

async function loadWorkload(directory: string): Promise<DevWorkload> {
  const manifest = join(resolve(directory), "package.json");
  try {
    const { default: description } = await import(pathToFileURL(manifest).href, { with: { type: "json" } });
    const entry: string = description.exports["."].default;
    const module: { workload?: DevWorkload } = await import(
      pathToFileURL(join(resolve(directory), entry)).href
    );
    if (module.workload) return module.workload;
  } catch (cause) {
    const message = `loading the workload ${directory}: ${errorMessage(cause)}; name the directory of a built package that exports a workload`;
    throw new ParallaxError("wrong_use", message, { cause });
  }
  throw new ParallaxError(
    "wrong_use",
    `loading the workload ${directory}: its package exports no \`workload\`; export one`,
  );
}

function startAgents(
  { bin, agents }: DevOptions,
  workload: DevWorkload | undefined,
  urls: readonly string[],
  logDirectory: string,
): Child[] {
  const demos = Array.from({ length: agents }, (_, index) => ({ name: `echo-${index}`, module: undefined }));
  return (workload?.agents ?? demos).map(({ name, module }) =>
    startChild({
      name,
      command: process.execPath,
      args: [fileURLToPath(bin), "dev-agent", ...(module ? [module.href] : [])],
      env: { PARALLAX_URL: urls.join(","), PARALLAX_AGENT_NAME: name },
      logDirectory,
    }),
  );
}

async function agentsConnected(nodes: DevNodes, wanted: number, signal: AbortSignal): Promise<void> {
  const client = createClient({ url: nodes.urls });
  const deadlineMs = systemClock.now() + agentsTimeoutMs;
  while (!signal.aborted) {
    const { agents } = await Promise.race([client.agents.list({ signal }), nodes.allEnded]);
    if (agents.filter(({ status }) => status === "connected").length >= wanted) return;
    if (systemClock.now() > deadlineMs) {
      throw new ParallaxError(
        "no_agents",
        `starting the agents: ${agents.length} of ${wanted} have connected; see their logs`,
      );
    }
    await systemClock.sleep(50, signal).catch(() => {});
  }
}

async function writeDemoPattern(directory: string): Promise<string> {
  const pattern =
    "name: echo\ncapabilities: [echo]\nagents: { min: 1, max: 1 }\naggregate: { strategy: first }\n";
  await writeFile(join(directory, "echo.yaml"), pattern);
  return directory;
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
