// A process that is a candidate in many elections. Arguments: URL of Redis, name, number of elections, lease, deadline and
// period in ms. It writes what happens as lines of JSON. SIGUSR2: steps down wherever it leads, one election after the other.

import { setTimeout as sleep } from "node:timers/promises";
import { createElection, type Election } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { createConnections, createKeySpace } from "@parallax/redis";
import { now, type Said } from "./said.ts";

const [url = "", nodeId = "", count = "1", lease = "15000", deadline = "10000", period = "2000"] =
  process.argv.slice(2);
const connections = createConnections({ url });

function say(said: Omit<Said, "atMs" | "wallMs">): void {
  const line: Said = { ...said, ...now() };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const elections = Array.from({ length: Number(count) }, (_, index): Election => {
  const keySpace = createKeySpace({ prefix: `e${index}:` });
  const election = createElection({
    store: redisLeaseStore(connections, { keySpace }),
    nodeId,
    leaseDurationMs: Number(lease),
    renewDeadlineMs: Number(deadline),
    retryPeriodMs: Number(period),
  });
  void election.run(async (term) => {
    say({ kind: "elected", election: index, term: term.token });
    await new Promise((resolve) => term.signal.addEventListener("abort", resolve, { once: true }));
    // Duties that end within 10 ms of the abort.
    await sleep(Math.random() * 9);
  });
  return election;
});

process.on("SIGUSR2", async () => {
  for (const [index, election] of elections.entries()) {
    const term = election.term();
    if (!term) continue;
    say({ kind: "steps-down", election: index, term: term.token });
    // It comes back soon, so that every process has elections to hand over.
    await election.stepDown({ cooldownMs: 500 }).catch(() => {});
    await sleep(30);
  }
  say({ kind: "done", election: 0, term: 0 });
});
await connections.lease.ready();
say({ kind: "ready", election: 0, term: 0 });
