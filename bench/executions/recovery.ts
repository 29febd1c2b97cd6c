// A node that owns many open executions is killed, everything at its defaults: how long until the cluster knows, and from then
// until every task that an agent should have was sent to one again. Half of the executions are worked on by agents of the other
// nodes, the other half waits for agents, who come while nobody owns them. Once for a standby, once for the leader.
// `--executions 1000 --agents 10`

import { createClient } from "@parallax/client";
import { type ClusterEvent, type NodeFrame, parseNodeFrame, type TaskFrame } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import type { WebSocket } from "ws";
import { type Cluster, type Node, startCluster } from "../agents/cluster.ts";
import { check, options } from "../agents/options.ts";
import { connectRaw } from "../agents/raw-agents.ts";
import { createPoster } from "./http.ts";

const { executions: count, agents } = options({ executions: 1000, agents: 10 });
/** How many agents each execution asks. */
const each = 3;

const pattern = (capability: string): string =>
  JSON.stringify({
    name: capability,
    capabilities: [capability],
    agents: { min: each, max: each },
    timeout: "10m",
    aggregate: { strategy: "majority" },
  });

/** Agents that hold what they are given until they are told to answer. */
interface Holders {
  /** The tasks that they were sent since {@link Holders.forget}. */
  readonly sent: ReadonlySet<string>;
  /** When a task was last sent to one of them for the first time since then. */
  readonly lastMs: number;
  forget(): void;
  answer(): void;
}

function holders(sockets: readonly WebSocket[]): Holders {
  const sent = new Set<string>();
  const held = sockets.map(() => new Map<string, TaskFrame>());
  let lastMs = 0;

  function take(frame: NodeFrame, index: number): void {
    if (frame.type !== "task") return;
    const { taskId, attempt } = frame;
    held[index]?.set(taskId, frame);
    sockets[index]?.send(JSON.stringify({ type: "accept", taskId, attempt }));
    if (sent.has(taskId)) return;
    sent.add(taskId);
    lastMs = performance.now();
  }

  for (const [index, socket] of sockets.entries())
    socket.on("message", (data) => {
      const parsed = parseNodeFrame(String(data));
      if (parsed.ok) take(parsed.frame, index);
    });
  return {
    sent,
    get lastMs() {
      return lastMs;
    },
    forget: () => sent.clear(),
    answer() {
      for (const [index, socket] of sockets.entries())
        for (const { taskId, executionId, attempt } of held[index]?.values() ?? [])
          socket.send(JSON.stringify({ type: "result", taskId, executionId, attempt, result: 1 }));
    },
  };
}

/** As many on each of the nodes. */
async function connectHolders(nodes: readonly Node[], capability: string): Promise<Holders> {
  const share = Math.ceil(agents / nodes.length);
  const slots = Math.ceil((2 * count * each) / agents);
  const sockets = await Promise.all(
    nodes.map(({ url }) => connectRaw({ url, count: share, capability, slots: Math.min(1000, slots) })),
  );
  return holders(sockets.flat());
}

async function submit(url: string, name: string, wanted: number): Promise<readonly string[]> {
  const poster = createPoster(url, 32);
  const body = JSON.stringify({ pattern: name, input: "what is to be done" });
  const answers = await Promise.all(
    Array.from({ length: wanted }, () => poster.post("/api/executions", body)),
  );
  poster.close();
  return answers.map(({ status, body: text }) => {
    const id = /"id":"(exec_\w+)"/.exec(text)?.[1];
    if (status !== 202 || id === undefined) throw new Error(`a submission was refused: ${status} ${text}`);
    return id;
  });
}

/** Notes when this node hears of something that happened in the cluster, the last time. */
function watchCluster(
  url: string,
  signal: AbortSignal,
  isIt: (event: ClusterEvent) => boolean,
): { readonly seenMs: number } {
  const seen = { seenMs: Number.NaN };
  void (async () => {
    for await (const item of createClient({ url }).events({ topics: ["cluster"], signal }))
      if (item.kind === "event" && isIt(item.event)) seen.seenMs = performance.now();
  })().catch((error: unknown) => {
    if (!signal.aborted) console.log(`no events of the cluster: ${String(error)}`);
  });
  return seen;
}

async function leaderOf(cluster: Cluster): Promise<string> {
  // On a Redis that has just started, nobody leads before a lease has passed.
  const look = () => cluster.redis.send("GET", "parallax:ha:leader");
  return String(await eventually(look, { timeoutMs: 60_000, message: "a leader" }));
}

async function measure(victimLeads: boolean): Promise<void> {
  const patterns = { holding: pattern("holding"), coming: pattern("coming") };
  const cluster = await startCluster({ nodes: 3, patterns, config: "log: { level: warn }" });
  const leader = await leaderOf(cluster);
  const victim = cluster.nodes.find(({ id }) => (id === leader) === victimLeads);
  const others = cluster.nodes.filter((node) => node !== victim);
  const [witness] = others;
  if (!victim || !witness) throw new Error("there should be three nodes");

  const working = await connectHolders(others, "holding");
  const ids = [
    ...(await submit(victim.url, "holding", count / 2)),
    ...(await submit(victim.url, "coming", count / 2)),
  ];
  const half = (count / 2) * each;
  await eventually(() => working.sent.size === half, { timeoutMs: 60_000, message: "all tasks to be held" });
  working.forget();
  const watching = new AbortController();
  const failed = watchCluster(
    witness.url,
    watching.signal,
    ({ type, member }) => type === "member-failed" && member === victim.id,
  );
  const elected = watchCluster(witness.url, watching.signal, ({ type }) => type === "leader-elected");
  const killedMs = performance.now();
  await victim.process.kill();
  const coming = await connectHolders(others, "coming");
  await eventually(() => working.sent.size + coming.sent.size === 2 * half, {
    timeoutMs: 60_000,
    message: "all tasks to be sent again",
  });
  const lastMs = Math.max(working.lastMs, coming.lastMs);
  // Whoever hands over has to lead, too.
  const detectedMs = victimLeads ? Math.max(failed.seenMs, elected.seenMs) : failed.seenMs;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  console.log(`${count} open executions of ${victimLeads ? "the leader" : "a standby"}:`);
  console.log(`  the kill was noticed after ${seconds(detectedMs - killedMs)}`);
  check("the last task at most 2 s after that", lastMs - detectedMs <= 2000, seconds(lastMs - detectedMs));
  check("and at most 20 s after the kill", lastMs - killedMs <= 20_000, seconds(lastMs - killedMs));

  working.answer();
  coming.answer();
  const client = createClient({ url: others.map(({ url }) => url) });
  let completed = 0;
  for (const id of ids)
    await eventually(async () => (await client.executions.get(id)).finishedAt !== undefined, {
      timeoutMs: 60_000,
      message: `execution ${id} to end`,
    }).then(() => (completed += 1));
  check("all of them ended", completed === count, completed);
  watching.abort();
  await cluster.stop();
}

for (const victimLeads of [false, true]) await measure(victimLeads);
process.exit();
