// A process that leads in many elections and writes all the time, once with its token and once without. Arguments: URL of
// Redis, name, number of elections, lease in ms. Every write is logged by the store that takes it.

import { setTimeout as sleep } from "node:timers/promises";
import { createElection, type Term } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { createConnections, createKeySpace } from "@parallax/redis";
import { Redis } from "ioredis";

const [url = "", nodeId = "", count = "1", lease = "1000"] = process.argv.slice(2);
const connections = createConnections({ url });
// A client as users have it: what was sent before a pause arrives after it.
const data = new Redis(url);

/** KEYS: fence, log of what was accepted, log of what was refused. ARGV: token. */
const fencedWrite = `
if tonumber(ARGV[1]) < tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('RPUSH', KEYS[3], ARGV[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[1])
return 1
`;

async function lead(index: number, term: Term): Promise<void> {
  while (!term.signal.aborted) {
    try {
      term.assertValid();
    } catch {
      return;
    }
    // Between the check and the write is where a process gets paused.
    await sleep(10 + Math.random() * 40);
    const keys = [`w${index}:fence`, `w${index}:accepted`, `w${index}:refused`];
    const [isAccepted] = await Promise.all([
      data.eval(fencedWrite, 3, ...keys, term.token),
      data.rpush(`w${index}:unfenced`, term.token),
    ]);
    if (isAccepted === 0) return;
  }
}

for (let index = 0; index < Number(count); index += 1) {
  const keySpace = createKeySpace({ prefix: `w${index}:` });
  const store = redisLeaseStore(connections, { keySpace });
  const election = createElection({ store, nodeId, leaseDurationMs: Number(lease) });
  void election.run((term) => lead(index, term));
}
await connections.lease.ready();
console.log("ready");
