// The agent in Python, which knows nothing but the protocol's document, on real nodes that are killed and drained.

import { join } from "node:path";
import { eventually, startChild } from "@parallax/testing";
import { startCluster } from "./cluster.ts";
import { check, options, pause } from "./options.ts";

const { executions, rate } = options({ executions: 120, rate: 4 });
const pattern = `
name: content-classifier
capabilities: [classification]
agents: { min: 1, max: 1 }
timeout: 60s
retries: 0
aggregate: { strategy: first }
`;
const config = `
  leaderElection: { leaseDuration: 6s }
  memberHealth: { checkInterval: 2s, timeout: 1500ms }
agents: { reconnectGrace: 15s }
server: { drainTimeout: 15s }
log: { level: warn }`;
const cluster = await startCluster({ nodes: 2, config, patterns: { "content-classifier": pattern } });
const urls = cluster.nodes.map(({ url }) => url);
const agent = await startChild({
  command: "python3",
  args: ["classify.py", ...urls],
  cwd: join(import.meta.dirname, "../../examples/agent-python"),
});

/** Asks one node after the other until one answers. */
async function ask(
  path: string,
  init?: RequestInit,
): Promise<{ id: string; status: string; result?: unknown }> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(`${urls[attempt % urls.length]}${path}`, init).catch(() => undefined);
    if (response?.ok) return JSON.parse(await response.text());
    await response?.body?.cancel();
    await pause(100);
  }
}

const ids: string[] = [];
async function stream(): Promise<void> {
  for (let number = 0; number < executions; number += 1) {
    const body = JSON.stringify({ pattern: "content-classifier", input: { content: "the Apache License" } });
    const headers = { "Content-Type": "application/json", "Idempotency-Key": `python-${number}` };
    ids.push((await ask("/api/executions", { method: "POST", headers, body })).id);
    await pause(1000 / rate);
  }
}

const streaming = stream();
for (const [index, node] of cluster.nodes.entries()) {
  await pause(4000);
  if (index === 0) await node.process.kill();
  else await node.process.stop({ timeoutMs: 20_000 });
  console.log(`${node.id} ${index === 0 ? "killed" : "drained"}, ${ids.length} executions so far`);
  await pause(3000);
  await cluster.restart(node);
}
await streaming;
let completed = 0;
for (const id of ids) {
  const ended = await eventually(
    async () => {
      const execution = await ask(`/api/executions/${id}`);
      return /completed|failed|cancelled/.test(execution.status) && execution;
    },
    { timeoutMs: 60_000, message: `execution ${id} to end` },
  );
  if (ended.status === "completed" && ended.result === "Apache-2.0") completed += 1;
  else console.log(JSON.stringify(ended));
}
check("every execution completed with the right result", completed === ids.length, completed);
agent.signal("SIGTERM");
const { code } = await agent.exited;
check("the agent says goodbye and ends well", code === 0, code);
check(
  "it had nothing to complain of",
  agent.lines.length === 0,
  agent.lines.slice(0, 5).join(" | ") || "nothing",
);
await cluster.stop();
process.exit();
