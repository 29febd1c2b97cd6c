// One node: a process that leads or waits. Arguments: its name, the URL of Redis, the URL of PostgreSQL.

import { setTimeout as sleep } from "node:timers/promises";
import { createElection, type Term } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { Redis } from "ioredis";
import { Client } from "pg";
import { writeFenced, writeUnfenced } from "./report.ts";

const [name = "", redisUrl = "", postgresUrl = ""] = process.argv.slice(2);
const store = redisLeaseStore(new Redis(redisUrl));
const client = new Client(postgresUrl);
await client.connect();

async function lead(term: Term): Promise<void> {
  const body = `written by ${name}`;
  term.assertValid();
  console.log(`${name} leads and has checked its lease; it works on the report`);
  // Between the check and the write is where a process gets paused: by garbage collection, swapping, or its host.
  await sleep(1000);
  await writeUnfenced(client, body);
  const isWritten = await writeFenced(client, body, term.token);
  console.log(
    isWritten ? `${name} has written the report` : `${name} was refused: it is not the leader any more`,
  );
  await new Promise((resolve) => term.signal.addEventListener("abort", resolve, { once: true }));
}

const election = createElection({
  store,
  nodeId: name,
  leaseDurationMs: 1500,
  renewDeadlineMs: 1000,
  retryPeriodMs: 300,
});
await election.run(lead);
