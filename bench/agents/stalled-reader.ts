// One agent stops reading while it is sent more than it can hold: what waits for it at the node, and what others notice.

import { startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, pause, quantile } from "./options.ts";
import { connectRaw } from "./raw-agents.ts";

const { rounds, seconds, rate, agents, bulks, bulk } = options({
  rounds: 5,
  seconds: 8,
  /** Small executions a second. */
  rate: 40,
  agents: 20,
  /** How many tasks the agent gets that stops reading, and the bytes of each. */
  bulks: 30,
  bulk: 400_000,
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

/** How long small executions take, each from its submission to its result, in ms. */
async function latencies(): Promise<number[]> {
  const found: number[] = [];
  const pending: Promise<void>[] = [];
  for (let number = 0; number < seconds * rate; number += 1) {
    const startedMs = performance.now();
    const done = submit("small", number, "?wait=30s").then(({ status }) => {
      if (status === 200) found.push(performance.now() - startedMs);
    });
    pending.push(done);
    await pause(1000 / rate);
  }
  await Promise.all(pending);
  return found;
}

async function unsentBytes(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^parallax_agents_unsent_bytes_max(?:\{.*\})? (\S+)/m.exec(text)?.[1] ?? Number.NaN);
}

let most = 0;

/** An agent with many places, and more work for it than the network holds: it takes all of it, or it reads nothing. */
async function besideBulk(reads: boolean): Promise<number[]> {
  const [agent] = await connectRaw({ url, count: 1, capability: "bulk", slots: 1000 });
  if (!agent) throw new Error("there is no agent that could stall");
  agent.on("message", (data) => {
    const { type, taskId, attempt }: { type: string; taskId: string; attempt: number } = JSON.parse(
      String(data),
    );
    if (type === "task") agent.send(JSON.stringify({ type: "accept", taskId, attempt }));
  });
  if (!reads) agent.pause();
  const input = "x".repeat(bulk);
  const ids: string[] = [];
  for (let count = 0; count < bulks; count += 1) ids.push((await submit("bulk", input)).id);
  let watching = true;
  const watched = (async () => {
    while (watching) {
      const unsent = await unsentBytes();
      if (!reads) most = Math.max(most, unsent);
      await pause(500);
    }
  })();
  await pause(1000);
  const found = await latencies();
  watching = false;
  await watched;
  agent.terminate();
  for (const id of ids) await fetch(`${url}/api/executions/${id}/cancel`, { method: "POST" });
  await pause(500);
  return found;
}

const reading: number[] = [];
const stalled: number[] = [];
await latencies();
for (let round = 0; round < rounds; round += 1) {
  reading.push(...(await besideBulk(true)));
  stalled.push(...(await besideBulk(false)));
}
const show = (values: readonly number[]): string =>
  `p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms of ${values.length}`;
console.log("beside an agent that reads:  ", show(reading));
console.log("beside one that has stopped: ", show(stalled));
check(
  "frames wait for it, never more than 1 MiB and a frame",
  most > 0 && most <= limitBytes,
  `${most} bytes at most`,
);
const ratio = quantile(stalled, 0.99) / quantile(reading, 0.99);
check("p99 of the others at most 10 % worse", ratio <= 1.1, ratio.toFixed(2));
await fleet.stop();
await cluster.stop();
process.exit();
