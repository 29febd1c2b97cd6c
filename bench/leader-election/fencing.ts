// A leader is stopped by SIGSTOP for longer than its lease, between its check and its write, and goes on: which of its writes are taken?

import { join } from "node:path";
import { bundleScript, eventually, type ProcessFixture, startProcess, startRedis } from "@parallax/testing";
import { numbers, pause } from "./measure.ts";

const { trials, elections, lease } = numbers({ trials: 1000, elections: 50, lease: 1000 });
const redis = await startRedis();
// The bundle of a benchmark lies in bench/.run-…
const script = await bundleScript(join(import.meta.dirname, "../leader-election/writers.ts"));

async function start(name: string): Promise<ProcessFixture> {
  const process = await startProcess({
    script: script.path,
    args: [redis.url, name, String(elections), String(lease)],
  });
  await process.line(/ready/);
  return process;
}
const all = Array.from({ length: elections }, (_, index) => index);
const client = redis.client();
const holders = (): Promise<(string | null)[]> => client.mget(all.map((index) => `w${index}:ha:leader`));

const processes = new Map<string, ProcessFixture>();
for (const name of ["p0", "p1"]) processes.set(name, await start(name));
await eventually(async () => (await holders()).every((holder) => holder !== null), { timeoutMs: 30_000 });

let stopped = 0;
for (let round = 0; stopped < trials; round += 1) {
  // The other one comes to lead everything that this one leads.
  const name = round % 2 === 0 ? "p0" : "p1";
  const process = processes.get(name);
  if (!process) throw new Error("no process");
  const led = (await holders()).flatMap((holder, index) => (holder === name ? [index] : []));
  process.pause();
  await eventually(
    async () => {
      const now = await holders();
      return led.every((index) => now[index] !== null && now[index] !== name);
    },
    { timeoutMs: 30_000 },
  );
  // Its successors write before it goes on.
  await pause(300);
  process.resume();
  await pause(300);
  stopped += led.length;
}
for (const process of processes.values()) await process.kill();
await script.remove();

/** Writes with a token below that of one before: a later leader had written already. */
async function stale(log: string): Promise<{ readonly writes: number; readonly stale: number }> {
  let writes = 0;
  let late = 0;
  for (const index of all) {
    const tokens = (await client.lrange(`w${index}:${log}`, 0, -1)).map(Number);
    writes += tokens.length;
    let highest = 0;
    for (const token of tokens) {
      if (token < highest) late += 1;
      highest = Math.max(highest, token);
    }
  }
  return { writes, stale: late };
}
const fenced = await stale("accepted");
const unfenced = await stale("unfenced");
const refused = await Promise.all(all.map((index) => client.llen(`w${index}:refused`)));
await redis.stop();

console.log(
  `${stopped} times a leader was stopped past its lease of ${lease} ms, ${elections} elections at a time`,
);
console.table({
  "with the token": { ...fenced, refused: refused.reduce((sum, count) => sum + count, 0) },
  "without it": { ...unfenced, refused: 0 },
});
process.exitCode = fenced.stale === 0 ? 0 : 1;
