// How much memory an idle agent costs its node, beside a plain WebSocket server with the same clients.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleScript, freePort, startProcess } from "@parallax/testing";
import { startCluster } from "./cluster.ts";
import { check, options, pause } from "./options.ts";
import { connectRaw } from "./raw-agents.ts";

const { agents, settle } = options({
  agents: 10_000,
  /** How long to wait before memory is read, in seconds: for pings, and for garbage to be collected. */
  settle: 30,
});

interface Subject {
  readonly pid: number;
  readonly url: string;
  readonly greet: boolean;
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Resident memory per agent, in bytes: what came with all of them, divided by their number. */
async function measure(name: string, { pid, url, greet }: Subject): Promise<number> {
  await pause(settle * 1000);
  const before = residentBytes(pid);
  const startedMs = performance.now();
  const sockets = await connectRaw({ url, count: agents, greet });
  const tookMs = performance.now() - startedMs;
  await pause(settle * 1000);
  const after = residentBytes(pid);
  const perAgent = (after - before) / agents;
  const open = sockets.filter(({ readyState, OPEN }) => readyState === OPEN).length;
  console.log(
    `${name}: ${open} connected in ${(tookMs / 1000).toFixed(1)} s; resident ${(before / 1e6).toFixed(1)} MB before,`,
    `${(after / 1e6).toFixed(1)} MB after: ${(perAgent / 1000).toFixed(1)} kB an agent`,
  );
  for (const socket of sockets) socket.terminate();
  return perAgent;
}

const script = await bundleScript(join(import.meta.dirname, "../agents/plain-server.ts"));
const port = await freePort();
const server = await startProcess({ script: script.path, args: [String(port)] });
await server.line(/ready/);
const plain = await measure("plain ws", { pid: server.pid, url: `http://127.0.0.1:${port}`, greet: false });
await server.kill();
await script.remove();

const cluster = await startCluster({ nodes: 1, config: "log: { level: warn }" });
const [node] = cluster.nodes;
if (!node) throw new Error("there is no node");
const ours = await measure("a node", { pid: node.process.pid, url: node.url, greet: true });
check(
  "at most 20 kB an idle agent",
  ours <= 20_000,
  `${(ours / 1000).toFixed(1)} kB, plain ws ${(plain / 1000).toFixed(1)} kB`,
);
await cluster.stop();
process.exit();
