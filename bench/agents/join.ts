// A third node joins two that share all agents, behind HAProxy: how long until it has its share, with work going on.

import { startBalancer } from "./balancer.ts";
import { startCluster } from "./cluster.ts";
import { startFleet } from "./fleet.ts";
import { check, options, pause } from "./options.ts";
import { workPattern } from "./work-pattern.ts";

const { agents, limit, rate, balancer } = options({
  agents: 3000,
  /** The time within which the new node has its share, in seconds. */
  limit: 60,
  /** Tasks a second. */
  rate: 20,
  balancer: "haproxy",
});
/** How much of its fair share counts as having it. */
const enough = 0.95;

const cluster = await startCluster({
  nodes: 2,
  spare: 1,
  config: "log: { level: warn }",
  patterns: { work: workPattern },
});
const front = await startBalancer(balancer, cluster.ports, false);
let aborted = 0;
const fleet = await startFleet({
  count: agents,
  url: front.url,
  capability: "work",
  slots: 1,
  handler:
    () =>
    async (_, { signal }) => {
      await pause(2000 + Math.random() * 8000);
      if (signal.aborted) aborted += 1;
      return { result: null };
    },
});
console.log(`${agents} agents:`, Object.fromEntries(fleet.spread()));

const ids: string[] = [];
let streaming = true;
async function stream(): Promise<void> {
  while (streaming) {
    const response = await fetch(`${front.url}/api/executions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pattern: "work", input: ids.length }),
    });
    if (response.status === 202) ids.push(JSON.parse(await response.text()).id);
    else await response.body?.cancel();
    await pause(1000 / rate);
  }
}
const streamed = stream();
await pause(5000);

const third = await cluster.add();
const joinedMs = performance.now();
const wanted = Math.floor((agents / 3) * enough);
const has = (): number => fleet.spread().get(third.id) ?? 0;
let tookMs: number | undefined;
while (tookMs === undefined && performance.now() - joinedMs < 3 * limit * 1000) {
  await pause(1000);
  const seconds = Math.round((performance.now() - joinedMs) / 1000);
  if (seconds % 5 === 0) console.log(`after ${seconds} s:`, Object.fromEntries(fleet.spread()));
  if (has() >= wanted) tookMs = performance.now() - joinedMs;
}
await pause(10_000);
console.log("10 s later:", Object.fromEntries(fleet.spread()));
streaming = false;
await streamed;
await pause(12_000);

let again = 0;
let completed = 0;
for (const id of ids) {
  const response = await fetch(`${front.url}/api/executions/${id}`);
  const { status, tasks }: { status: string; tasks: { attempt: number }[] } = JSON.parse(
    await response.text(),
  );
  if (status === "completed") completed += 1;
  again += tasks.filter(({ attempt }) => attempt > 1).length;
}
const shown = tookMs === undefined ? "not reached" : `${(tookMs / 1000).toFixed(0)} s`;
check(`${100 * enough} % of its share within ${limit} s`, (tookMs ?? Infinity) <= limit * 1000, shown);
check("no task was interrupted", aborted === 0 && again === 0, `${aborted} aborted, ${again} tried again`);
check("every execution completed", completed === ids.length, `${completed} of ${ids.length}`);
const codes = Object.fromEntries(fleet.ledger.closedOtherwise);
check("nobody was cut off", !fleet.ledger.closedOtherwise.has(1006), JSON.stringify(codes));
await fleet.stop();
await front.stop();
await cluster.stop();
process.exit();
