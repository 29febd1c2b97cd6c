// Agents that do one kind of harm each: what others notice of them, and what waits at the node for one that does not read.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setInterval } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import type { WebSocket } from "ws";
import { startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, pause, quantile } from "./options.ts";
import { connectRaw, helloOf } from "./raw-agents.ts";
import { pourOnce } from "./raw-flood.ts";

/** What is poured, by what an agent does. */
const floods: Readonly<Record<string, string | Buffer>> = {
  "pours frames": JSON.stringify({ type: "progress", taskId: "exec_none:0", attempt: 1, value: 0.5 }),
  "pours no JSON": "{".repeat(1000),
  "pours binary frames": Buffer.alloc(65_536),
  "sends 10 MB again and again": `"${"x".repeat(10_000_000)}"`,
};

/** What a process has had of all processors so far, in ms. */
function processorMs(pid: number): number {
  const [, facts = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const [user = 0, system = 0] = facts.split(" ").slice(11, 13).map(Number);
  return (user + system) * 10;
}

interface Flood {
  readonly url: string;
  readonly what: keyof typeof floods;
}

async function connect(url: string, capability: string): Promise<WebSocket> {
  const [agent] = await connectRaw({ url, count: 1, capability, slots: 1000 });
  if (!agent) throw new Error("there is no agent that could do harm");
  return agent;
}

/** As much as the network takes; four times a second in a new connection, where the last one was closed. */
async function pourForEver({ url, what }: Flood): Promise<void> {
  const hello = helloOf("flood", "none", 1);
  for (;;) {
    await pourOnce(url, hello, floods[what] ?? "");
    await pause(250);
  }
}

async function measure(): Promise<void> {
  const { rounds, seconds, alone, rate, agents, bulks, bulk, only } = options({
    rounds: 5,
    seconds: 8,
    /** How long the node is left alone with the harm before that, in seconds. */
    alone: 3,
    /** Small executions a second. */
    rate: 100,
    agents: 20,
    /** How many tasks an agent gets that is sent more than the network holds, and the bytes of each. */
    bulks: 30,
    bulk: 400_000,
    /** One kind alone, beside its counterpart. */
    only: "",
  });
  /** What a node keeps for one agent at most: the hard mark and one frame. */
  const limitBytes = 2 * 1024 ** 2;

  const patternOf = (name: string): string => `
name: ${name}
capabilities: [${name}]
agents: { min: 1, max: 1 }
timeout: 60s
retries: 0
aggregate: { strategy: first }
`;
  const patterns = { small: patternOf("small"), bulk: patternOf("bulk") };
  const cluster = await startCluster({ nodes: 1, config: "log: { level: warn }", patterns });
  const [node] = cluster.nodes;
  if (!node) throw new Error("there is no node");
  const { url } = node;
  const { pid } = node.process;
  const fleet = await startFleet({
    count: agents,
    url,
    capability: "small",
    slots: 4,
    handler: () => async () => ({ result: null }),
  });

  async function submit(pattern: string, input: unknown, wait = ""): Promise<{ status: number; id: string }> {
    const response = await fetch(`${url}/api/executions${wait}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pattern, input }),
    });
    const { id }: { id: string } = JSON.parse(await response.text());
    return { status: response.status, id };
  }

  /** How long small executions take, each from when it was due to its result, in ms. */
  async function latencies(): Promise<number[]> {
    const found: number[] = [];
    const pending: Promise<void>[] = [];
    const startedMs = performance.now();
    for (let number = 0; number < seconds * rate; number += 1) {
      const dueMs = startedMs + (number * 1000) / rate;
      const early = dueMs - performance.now();
      if (early > 0) await pause(early);
      const done = submit("small", number, "?wait=30s").then(({ status }) => {
        if (status === 200) found.push(performance.now() - dueMs);
      });
      pending.push(done);
    }
    await Promise.all(pending);
    return found;
  }

  async function unsentBytes(): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^parallax_agents_unsent_bytes_max(?:\{.*\})? (\S+)/m.exec(text)?.[1] ?? Number.NaN);
  }

  /** Pours in a thread of its own, so that what is measured is the node and not this program. */
  async function pour(what: keyof typeof floods, signal: AbortSignal): Promise<void> {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { url, what } satisfies Flood });
    await once(signal, "abort");
    await worker.terminate();
  }

  let most = 0;

  /** More work for one agent than the network holds: it takes all of it, or it reads nothing. */
  async function bulkFor(reads: boolean, signal: AbortSignal): Promise<void> {
    const agent = await connect(url, "bulk");
    agent.on("message", (data) => {
      const frame: { type: string; taskId: string; attempt: number } = JSON.parse(String(data));
      const { type, taskId, attempt } = frame;
      if (type === "task") agent.send(JSON.stringify({ type: "accept", taskId, attempt }));
    });
    if (!reads) agent.pause();
    const input = "x".repeat(bulk);
    const ids: string[] = [];
    for (let count = 0; count < bulks; count += 1) ids.push((await submit("bulk", input)).id);
    for await (const _ of setInterval(500)) {
      const unsent = await unsentBytes();
      if (!reads) most = Math.max(most, unsent);
      if (signal.aborted) break;
    }
    agent.terminate();
    for (const id of ids) await fetch(`${url}/api/executions/${id}/cancel`, { method: "POST" });
  }

  type Harm = (signal: AbortSignal) => Promise<void>;

  /** What an agent does that should be noticed by nobody, and what a good one does in its place. */
  const harms: Readonly<Record<string, { readonly good: Harm; readonly bad: Harm }>> = {
    "stops reading": { good: (signal) => bulkFor(true, signal), bad: (signal) => bulkFor(false, signal) },
    ...Object.fromEntries(Object.keys(floods).map((what) => [what, harmOf((signal) => pour(what, signal))])),
  };

  /** A harm whose counterpart is an agent that only is there. */
  function harmOf(bad: Harm): { good: Harm; bad: Harm } {
    return {
      async good(signal) {
        const agent = await connect(url, "none");
        await once(signal, "abort");
        agent.terminate();
      },
      bad,
    };
  }

  /** What the node spends of a second on the harm alone, in ms of one processor, and what others notice of it. */
  async function beside(harm: Harm): Promise<{ readonly found: number[]; readonly spentMs: number }> {
    const controller = new AbortController();
    const done = harm(controller.signal);
    await Promise.race([done, pause(1000)]);
    const before = processorMs(pid);
    await pause(alone * 1000);
    const spentMs = (processorMs(pid) - before) / alone;
    const found = await latencies();
    controller.abort();
    await done;
    await pause(500);
    return { found, spentMs };
  }

  const show = (values: readonly number[]): string =>
    `p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms of ${values.length}`;

  await latencies();
  for (const [name, { good, bad }] of Object.entries(harms)) {
    if (only && only !== name) continue;
    const beforehand: number[] = [];
    const afterwards: number[] = [];
    let costMs = 0;
    for (let round = 0; round < rounds; round += 1) {
      const [without, withIt] = [await beside(good), await beside(bad)];
      beforehand.push(...without.found);
      afterwards.push(...withIt.found);
      costMs += (withIt.spentMs - without.spentMs) / rounds;
    }
    console.log(
      `an agent that ${name}\n  beside a good one: ${show(beforehand)}\n  beside it:         ${show(afterwards)}`,
    );
    const ratio = quantile(afterwards, 0.99) / quantile(beforehand, 0.99);
    check("p99 of the others at most 10 % worse", ratio <= 1.1, ratio.toFixed(2));
    check("costs the node at most a tenth of a processor", costMs <= 100, `${costMs.toFixed(0)} ms a second`);
    check("each of theirs was completed", afterwards.length === rounds * seconds * rate, afterwards.length);
  }
  if (most > 0)
    check(
      "what waits for one that does not read: at most 1 MiB and a frame",
      most <= limitBytes,
      `${most} bytes`,
    );
  await fleet.stop();
  await cluster.stop();
  process.exit();
}

if (isMainThread) await measure();
else await pourForEver(workerData as Flood);
