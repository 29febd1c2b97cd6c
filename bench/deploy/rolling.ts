// Three nodes behind HAProxy are told to stop one after the other, and started again: with the same version, or with another one.
// Nobody may notice: no execution is lost, no request fails, no agent is cut off, and agents come back evenly.

import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { createTemporaryDirectory } from "@parallax/testing";
import { startBalancer } from "../agents/balancer.ts";
import { bundleProgram, type Node, startCluster } from "../agents/cluster.ts";
import { check, options, pause } from "../agents/options.ts";
import { workPattern } from "../agents/work-pattern.ts";
import { epochMs, startCrowd } from "./crowd.ts";
import { laterVersion } from "./later-version.ts";
import { startLoad } from "./load.ts";
import { runPart } from "./part.ts";

/** A third of the time to drain: over so long a node sends its agents away. */
const spreadMs = 10_000;

/** The most attempts to connect within any second, and when it began. */
function busiestSecond(attempts: readonly number[]): { readonly count: number; readonly atMs: number } {
  const sorted = attempts.toSorted((one, other) => one - other);
  let first = 0;
  let busiest = { count: 0, atMs: 0 };
  for (const [last, atMs] of sorted.entries()) {
    while ((sorted[first] ?? atMs) < atMs - 1000) first += 1;
    const count = last - first + 1;
    if (count > busiest.count) busiest = { count, atMs: sorted[first] ?? atMs };
  }
  return busiest;
}

/** The program of a version: given, made of these sources, or of these sources as they may be one day. */
async function programOf(version: string, directory: string): Promise<string> {
  if (version !== "" && version !== "later") return version;
  return bundleProgram(join(directory, version || "own"), version === "later" ? [laterVersion] : []);
}

async function measure(): Promise<void> {
  const { agents, rate, threads, wait, from, to, balancer } = options({
    agents: 3000,
    /** Executions a second. */
    rate: 30,
    threads: 4,
    /** Seconds between the readiness of a node and the end of the next, as minReadySeconds of the chart. */
    wait: 5,
    /** What nodes run first, and what they are started again with: a program, `later`, or by default that of these sources. */
    from: "",
    to: "",
    balancer: "haproxy",
  });
  const directory = await createTemporaryDirectory("rolling");
  const [before, after] = [await programOf(from, directory.path), await programOf(to, directory.path)];
  const cluster = await startCluster({
    nodes: 3,
    config: "log: { level: warn }",
    patterns: { work: workPattern },
    program: before,
  });
  const front = await startBalancer(balancer, cluster.ports, false);
  const crowd = await startCrowd(new URL(import.meta.url), threads, agents, {
    url: front.url,
    minWork: 200,
    maxWork: 5000,
    slots: 2,
  });
  console.log(`${agents} agents:`, Object.fromEntries(crowd.spread()));
  const load = startLoad({ url: front.url, pattern: "work", rate });
  await pause(5000);

  const turns: {
    readonly node: Node;
    readonly uniform: number;
    readonly busiest: number;
    readonly exit: unknown;
  }[] = [];
  async function turn(node: Node): Promise<void> {
    const had = crowd.spread().get(node.id) ?? 0;
    const first = crowd.attempts.length;
    const startedMs = epochMs();
    node.process.signal("SIGTERM");
    const { code, signal } = await node.process.exited;
    const drainedMs = epochMs() - startedMs;
    await cluster.restart(node, after);
    const readyMs = epochMs() - startedMs;
    await pause(wait * 1000);
    const uniform = had / (spreadMs / 1000);
    const { count, atMs } = busiestSecond(crowd.attempts.slice(first));
    turns.push({ node, uniform, busiest: count, exit: signal ?? code });
    const when = ((atMs - startedMs) / 1000).toFixed(1);
    console.log(
      `${node.id} with ${had} agents: drained after ${(drainedMs / 1000).toFixed(1)} s, ready again after ${(readyMs / 1000).toFixed(1)} s;`,
      `at most ${count} attempts to connect in a second, ${when} s after SIGTERM; uniform ${uniform.toFixed(0)};`,
      Object.fromEntries(crowd.spread()),
    );
  }
  for (const node of cluster.nodes) await turn(node);
  await pause(20_000);
  console.log("20 s later:", Object.fromEntries(crowd.spread()));
  await load.stop();
  const lost = await load.lost(60_000);

  const limit = 2 * Math.max(...turns.map(({ uniform }) => uniform));
  const { count } = busiestSecond(crowd.attempts);
  check("lost executions 0", lost.length === 0, `${lost.length} of ${load.accepted.size}`);
  for (const line of lost.slice(0, 5)) console.log(line);
  check("failed HTTP requests 0", load.failures.length === 0, `${load.failures.length} of ${load.requests}`);
  for (const line of load.failures.slice(0, 10)) console.log(line);
  check("closes 1006 0", !crowd.closes.has(1006), JSON.stringify(Object.fromEntries(crowd.closes)));
  check("no agent gave up", crowd.gaveUp.length === 0, crowd.gaveUp.length);
  check(
    "reconnects a second at most twice the uniform spread",
    count <= limit,
    `${count}, limit ${limit.toFixed(0)}`,
  );
  check(
    "nodes end with 0",
    turns.every(({ exit }) => exit === 0),
    turns.map(({ exit }) => exit).join(),
  );
  if (process.exitCode === 1) console.log(`the balancer said:\n${front.lines.slice(-30).join("\n")}`);
  await crowd.stop();
  await front.stop();
  await cluster.stop();
  await directory.remove();
  process.exit();
}

if (isMainThread) await measure();
else await runPart();
