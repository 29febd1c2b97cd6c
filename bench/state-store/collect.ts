// What it costs to collect many expired records while others are written: how long, the longest script, and what is left over.

import { createStateStore } from "@parallax/state-store";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { z } from "zod";
import { numbers, pause, quantile } from "../event-bus/options.ts";

const { records, limit, slowMs, rate } = numbers({ records: 50_000, limit: 200, slowMs: 5, rate: 500 });

const schema = z.object({ status: z.enum(["running", "completed"]), owner: z.string(), input: z.string() });
const redis = await startRedis();
const client = new Redis(redis.url);
const store = createStateStore({ backend: redisRecordBackend(client) });
const jobs = store.collection({
  name: "job",
  schema,
  indexes: ["status", "owner"],
  final: { status: ["completed"] },
  topic: "job",
});

const event = { type: "job.changed" };
/** As many at a time as a busy node has in flight. */
async function forEach(count: number, work: (at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

const value = (at: number) =>
  ({ status: "running", owner: `node_${at % 7}`, input: "x".repeat(200) }) as const;
await forEach(records, async (at) => {
  await jobs.create(`job_${at}`, value(at), { event });
  await jobs.deposit(`job_${at}`, "task_1", JSON.stringify({ label: "positive", confidence: 0.9 }));
  await jobs.update(`job_${at}`, { set: { status: "completed" } }, { event, expiresInMs: 0 });
});
await forEach(1000, (at) => jobs.create(`live_${at}`, value(at), { event }));

// Redis counts microseconds. Half of the bound shows how near the longest came.
await redis.send("CONFIG", "SET", "slowlog-log-slower-than", (slowMs * 1000) / 2);
await redis.send("CONFIG", "SET", "slowlog-max-len", 10_000);
await redis.send("SLOWLOG", "RESET");
await redis.send("CONFIG", "RESETSTAT");

let collecting = true;
const waits: number[] = [];
async function write(): Promise<void> {
  const begun = performance.now();
  for (let at = 0; collecting; at += 1) {
    while (performance.now() - begun < (at / rate) * 1000) await pause(1);
    const sentAt = performance.now();
    await jobs.update(`live_${at % 1000}`, { set: { owner: `node_${at % 5}` } }, { event });
    waits.push(performance.now() - sentAt);
  }
}

const writing = write();
const begun = performance.now();
let removed = 0;
for (let more = true; more; ) {
  const step = await jobs.collectExpired({ limit, fence: 1 });
  removed += step.removed;
  more = step.more;
}
const seconds = (performance.now() - begun) / 1000;
collecting = false;
await writing;

const slow = z
  .array(z.tuple([z.int(), z.int(), z.int()]).rest(z.unknown()))
  .parse(await redis.send("SLOWLOG", "GET", -1));
const longestMs = Math.max(0, ...slow.map(([, , microseconds]) => microseconds)) / 1000;
const over = slow.filter(([, , microseconds]) => microseconds > slowMs * 1000).length;
// What remembers requests ends by itself, within a minute.
const keys = z
  .array(z.string())
  .parse(await redis.send("KEYS", "*job_*"))
  .filter((key) => !key.endsWith(":deleted"));
const entries = z.array(z.string()).parse(await redis.send("ZRANGE", "parallax:index:job", 0, -1));
const orphans =
  keys.length +
  entries.filter((entry) => entry.includes("|job_")).length +
  z.int().parse(await redis.send("ZCARD", "parallax:expiry:job"));
const living = await jobs.count();
waits.sort((one, other) => one - other);
await store.close();
client.disconnect();
await redis.stop();

console.log(
  `${removed} of ${records} expired records collected in steps of ${limit}, with ${rate} changes/s beside it`,
);
console.table({
  "records/s": Math.round(removed / seconds),
  [`scripts over ${slowMs} ms`]: over,
  "longest script, ms": longestMs > 0 ? longestMs : `under ${slowMs / 2}`,
  "keys and entries left over": orphans,
  "living records untouched": `${living} of 1000`,
  "p99 of the changes beside it, ms": quantile(waits, 0.99).toFixed(2),
});
if (removed !== records || over > 0 || orphans > 0 || living !== 1000) {
  console.error("collecting: this is not what was promised");
  process.exitCode = 1;
}
