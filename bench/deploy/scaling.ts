// Three nodes behind HAProxy become five and three again, under load: nothing is lost, and agents are spread evenly soon after.

import { isMainThread } from "node:worker_threads";
import { startBalancer } from "../agents/balancer.ts";
import { startCluster } from "../agents/cluster.ts";
import { check, options, pause } from "../agents/options.ts";
import { workPattern } from "../agents/work-pattern.ts";
import { type Crowd, startCrowd } from "./crowd.ts";
import { startLoad } from "./load.ts";
import { runPart } from "./part.ts";

/** How near to its fair share every node has to be. */
const near = 0.1;

/** How long until all agents are there and every node has its share, in ms; undefined when that took longer than the limit. */
async function evenAfter(
  crowd: Crowd,
  agents: number,
  nodes: readonly string[],
  limitMs: number,
): Promise<number | undefined> {
  const startedMs = performance.now();
  const share = agents / nodes.length;
  for (;;) {
    const spread = crowd.spread();
    const counts = nodes.map((id) => spread.get(id) ?? 0);
    const sum = counts.reduce((one, other) => one + other, 0);
    const tookMs = performance.now() - startedMs;
    if (sum === agents && counts.every((count) => Math.abs(count - share) <= near * share)) return tookMs;
    if (tookMs > limitMs) return undefined;
    await pause(500);
  }
}

async function measure(): Promise<void> {
  const { agents, rate, threads, limit } = options({ agents: 3000, rate: 30, threads: 4, limit: 60 });
  const cluster = await startCluster({
    nodes: 3,
    spare: 2,
    config: "log: { level: warn }",
    patterns: { work: workPattern },
  });
  const front = await startBalancer("haproxy", cluster.ports, false);
  const crowd = await startCrowd(new URL(import.meta.url), threads, agents, {
    url: front.url,
    minWork: 200,
    maxWork: 5000,
    slots: 2,
  });
  const load = startLoad({ url: front.url, pattern: "work", rate });
  await pause(5000);
  const show = (what: string, ms: number | undefined): void => {
    const took = ms === undefined ? `not within ${limit} s` : `after ${(ms / 1000).toFixed(1)} s`;
    console.log(`${what}:`, Object.fromEntries(crowd.spread()));
    check(`${what}, every share within ${100 * near} % of even within ${limit} s`, ms !== undefined, took);
  };

  const added = [await cluster.add(), await cluster.add()];
  const five = cluster.nodes.map(({ id }) => id);
  show("3 to 5 nodes", await evenAfter(crowd, agents, five, limit * 1000));

  // A StatefulSet takes the last ones away, one after the other.
  for (const node of added.toReversed()) {
    node.process.signal("SIGTERM");
    const { code } = await node.process.exited;
    check(`${node.id} ends with 0`, code === 0, code);
  }
  show("5 to 3 nodes", await evenAfter(crowd, agents, five.slice(0, 3), limit * 1000));
  await load.stop();
  const lost = await load.lost(60_000);
  check("lost executions 0", lost.length === 0, `${lost.length} of ${load.accepted.size}`);
  for (const line of lost.slice(0, 5)) console.log(line);
  check("failed HTTP requests 0", load.failures.length === 0, `${load.failures.length} of ${load.requests}`);
  for (const line of load.failures.slice(0, 10)) console.log(line);
  check("closes 1006 0", !crowd.closes.has(1006), JSON.stringify(Object.fromEntries(crowd.closes)));
  check("no agent gave up", crowd.gaveUp.length === 0, crowd.gaveUp.length);
  if (process.exitCode === 1) console.log(`the balancer said:\n${front.lines.slice(-30).join("\n")}`);
  await crowd.stop();
  await front.stop();
  await cluster.stop();
  process.exit();
}

if (isMainThread) await measure();
else await runPart();
