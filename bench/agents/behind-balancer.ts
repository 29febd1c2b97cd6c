// Three nodes behind HAProxy or nginx, agents with tasks in hand, and nodes that are killed and drained in turn: nothing that
// an agent has worked out is lost, nothing counts twice, and nobody is cut off by a drain.

import { randomUUID } from "node:crypto";
import { eventually } from "@parallax/testing";
import { startBalancer } from "./balancer.ts";
import { type Node, startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, pause } from "./options.ts";

const { balancer, sticky, seconds, agents, rate, minWork, maxWork } = options({
  balancer: "haproxy",
  sticky: false,
  seconds: 60,
  agents: 300,
  /** Executions a second, three tasks each. */
  rate: 12,
  /** How long an agent works on a task, in ms. */
  minWork: 1000,
  maxWork: 12_000,
});
const answersWanted = 3;

/** Shorter times than the defaults, so that minutes see many turns. */
const config = `
  leaderElection: { leaseDuration: 6s }
  memberHealth: { checkInterval: 2s, timeout: 1500ms }
agents: { reconnectGrace: 15s }
server: { drainTimeout: 15s }
log: { level: warn }`;
const pattern = `
name: echo
capabilities: [echo]
agents: { min: ${answersWanted}, max: ${answersWanted} }
timeout: 120s
retries: 0
aggregate: { strategy: all }
`;

process.on("unhandledRejection", (error) => check("no unhandled rejection", false, error));

const cluster = await startCluster({ nodes: 3, config, patterns: { echo: pattern } });
const front = await startBalancer(balancer, cluster.ports, sticky);
const draining = new Set<string>();
const fleet = await startFleet({
  count: agents,
  url: front.url,
  capability: "echo",
  slots: 2,
  handler: (index) => async (task) => {
    await pause(minWork + Math.random() * (maxWork - minWork));
    return { result: { input: task.input, by: index } };
  },
  drains: (nodeId) => draining.has(nodeId),
});
console.log(
  `${agents} agents behind ${balancer}${sticky ? ", sticky" : ""}:`,
  Object.fromEntries(fleet.spread()),
);

/** The final events of each execution, on the channel that operators look at. */
const finals = new Map<string, number>();
const subscriber = cluster.redis.client();
await subscriber.subscribe("parallax:events:execution");
subscriber.on("message", (_channel: string, payload: string) => {
  const { events }: { events: { event: { type: string; id: string } }[] } = JSON.parse(payload);
  for (const { event } of events)
    if (/^execution-(completed|failed|cancelled)$/.test(event.type))
      finals.set(event.id, (finals.get(event.id) ?? 0) + 1);
});

/** What was accepted with 202, and its input. A request that fails is repeated with its key, as a client does. */
const accepted = new Map<string, string>();
let refusals = 0;
async function submit(input: string): Promise<void> {
  const key = randomUUID();
  for (;;) {
    const response = await fetch(`${front.url}/api/executions`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify({ pattern: "echo", input }),
    }).catch(() => undefined);
    if (response?.status === 202) {
      const { id }: { id: string } = JSON.parse(await response.text());
      accepted.set(id, input);
      return;
    }
    await response?.body?.cancel();
    refusals += 1;
    await pause(200 + Math.random() * 300);
  }
}

const stopping = new AbortController();
async function stream(): Promise<void> {
  const pending = new Set<Promise<void>>();
  for (let number = 0; !stopping.signal.aborted; number += 1) {
    const work: Promise<void> = submit(`text ${number}`).finally(() => pending.delete(work));
    pending.add(work);
    await pause(1000 / rate);
  }
  await Promise.all(pending);
}

const turns = { killed: 0, drained: 0 };
const exits: (number | null)[] = [];
const drainTimesMs: number[] = [];

async function kill(node: Node): Promise<void> {
  await node.process.kill();
  turns.killed += 1;
}

async function drain(node: Node): Promise<void> {
  draining.add(node.id);
  const startedMs = performance.now();
  node.process.signal("SIGTERM");
  const { code } = await node.process.exited;
  drainTimesMs.push(performance.now() - startedMs);
  exits.push(code);
  turns.drained += 1;
  // What its agents saw of it may still be on its way.
  await pause(500);
  draining.delete(node.id);
}

async function disturb(untilMs: number): Promise<void> {
  for (let turn = 0; performance.now() < untilMs; turn += 1) {
    const node = cluster.nodes[turn % cluster.nodes.length];
    if (!node) return;
    const how = turn % 2 === 0 ? kill : drain;
    await how(node);
    const left = Object.fromEntries(fleet.spread());
    console.log(
      `${how.name} ${node.id}; agents now:`,
      left,
      `owed ${fleet.owed()}, accepted ${accepted.size}`,
    );
    await pause(4000);
    await cluster.restart(node);
    await pause(6000);
  }
}

const streaming = stream();
await pause(5000);
await disturb(performance.now() + seconds * 1000);
stopping.abort();
await streaming;
const everything = { timeoutMs: 120_000, everyMs: 200 };
await eventually(() => [...accepted.keys()].every((id) => finals.has(id)), {
  ...everything,
  message: "every accepted execution to end",
}).catch((error: unknown) => console.log(String(error)));
await eventually(() => fleet.owed() === 0, {
  ...everything,
  message: "all results to be acknowledged",
}).catch((error: unknown) => console.log(String(error)));

interface Answer {
  readonly input: string;
  readonly by: number;
}
let completed = 0;
let repeated = 0;
const wrong: string[] = [];
for (const [id, input] of accepted) {
  const response = await fetch(`${front.url}/api/executions/${id}`);
  const execution: { status: string; result?: Answer[]; error?: unknown; tasks: { attempt: number }[] } =
    JSON.parse(await response.text());
  const answers = execution.result ?? [];
  const distinct = new Set(answers.map(({ by }) => by)).size;
  const right = answers.length === answersWanted && answers.every((answer) => answer.input === input);
  if (execution.status === "completed" && right && distinct === answersWanted) completed += 1;
  else wrong.push(`${id}: ${JSON.stringify(execution)}`);
  repeated += execution.tasks.filter(({ attempt }) => attempt > 1).length;
}
const { ledger } = fleet;
const twice = [...ledger.counted].filter(([, by]) => by.size > 1);
const endings = [...accepted.keys()].filter((id) => finals.get(id) !== 1);

console.log(`\n${turns.killed} nodes killed, ${turns.drained} drained`, drainTimesMs.map(Math.round), "ms");
console.log(
  `${accepted.size} executions accepted, ${refusals} requests repeated; ${ledger.handled} handlers ran,`,
  `${ledger.counted.size} results counted, ${ledger.superseded} superseded, ${repeated} tasks tried again`,
);
console.log("closed by drains:", Object.fromEntries(ledger.closedByDrain));
console.log("closed otherwise:", Object.fromEntries(ledger.closedOtherwise));
check("every accepted execution completed with its own three answers", wrong.length === 0, completed);
for (const line of wrong.slice(0, 5)) console.log(line);
check("each ended exactly once", endings.length === 0, accepted.size - endings.length);
check("no task counted for two agents", twice.length === 0, `${ledger.counted.size} tasks`);
check("every result was acknowledged", fleet.owed() === 0, `${fleet.owed()} owed`);
check("no agent gave up", ledger.gaveUp === 0, ledger.gaveUp);
check("no close 1006 on drain", !ledger.closedByDrain.has(1006), ledger.closedByDrain.get(1006) ?? 0);
check(
  "drained nodes exit with 0",
  exits.every((code) => code === 0),
  exits.join(", "),
);

if (process.exitCode === 1) console.log(`${balancer} said:\n${front.lines.slice(-20).join("\n")}`);
await fleet.stop();
await front.stop();
await cluster.stop();
process.exit();
