// Breaks Redis under load and counts events that neither arrived nor were reported as lost.

import { type RedisFixture, startRedis } from "@parallax/testing";
import { numbers, pause } from "./options.ts";
import { type OpenSubject, type Subject, subjects } from "./subjects.ts";

const { runs } = numbers({ runs: 10 });

type Strike = (redis: RedisFixture, open: OpenSubject) => Promise<unknown>;

const strikes: Readonly<Record<string, Strike>> = {
  "receiver's connection killed": async (redis, { receivers }) => {
    const list = String(await redis.send("CLIENT", "LIST"));
    for (const line of list.split("\n").filter((client) => client.includes(`name=${receivers}`)))
      await redis.send("CLIENT", "KILL", "ID", Number(/\bid=(\d+)/.exec(line)?.[1])).catch(() => {});
  },
  "receiver killed, log trimmed": async (redis, open) => {
    await strikes["receiver's connection killed"]?.(redis, open);
    if (open.stream !== undefined) await redis.send("XTRIM", open.stream, "MAXLEN", 0);
  },
  FLUSHALL: (redis) => redis.send("FLUSHALL"),
};

/** Whether the receiver has to reload its state is what a gap says; so a run with a gap has no silent loss. */
async function silentLosses(subject: Subject, strike: Strike, redis: RedisFixture): Promise<number> {
  await redis.send("FLUSHALL");
  const arrived = new Set<number>();
  let gaps = 0;
  const open = await subject.open(
    redis.url,
    (index) => arrived.add(index),
    () => {
      gaps += 1;
    },
  );
  const acknowledged = new Set<number>();
  let index = 0;
  const load = async (ms: number): Promise<void> => {
    for (const until = performance.now() + ms; performance.now() < until; ) {
      for (const end = index + 5; index < end; index += 1) {
        const mine = index;
        open.send(mine).then(
          () => acknowledged.add(mine),
          () => {},
        );
      }
      await pause(2);
    }
  };
  await load(200);
  await Promise.all([load(300), strike(redis, open)]);
  await load(500);
  // More than a check interval of ours, so that whoever looks has looked.
  await pause(6000);
  await open.close();
  const missing = [...acknowledged].filter((each) => !arrived.has(each)).length;
  return gaps > 0 ? 0 : missing;
}

const redis = await startRedis();
const table: Record<string, Record<string, string>> = {};
for (const subject of subjects) {
  const row: Record<string, string> = {};
  for (const [name, strike] of Object.entries(strikes)) {
    const lost: number[] = [];
    for (let run = 0; run < runs; run += 1) lost.push(await silentLosses(subject, strike, redis));
    const runsWithLoss = lost.filter((count) => count > 0).length;
    row[name] = `${runsWithLoss} of ${runs} runs, ${lost.reduce((sum, count) => sum + count, 0)} events`;
  }
  table[subject.name] = row;
}
await redis.stop();
console.log("events lost in silence");
console.table(table);
