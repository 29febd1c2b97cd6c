// How many bytes Redis needs for a record, and for what comes with it.

import { createStateStore } from "@parallax/state-store";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { z } from "zod";
import { numbers } from "../event-bus/options.ts";

const { records } = numbers({ records: 20_000 });

const schema = z.object({ status: z.string(), owner: z.string(), input: z.string() });
const redis = await startRedis();
const client = new Redis(redis.url);
const store = createStateStore({ backend: redisRecordBackend(client, { maxTopicEntries: 1 }) });

async function usedBytes(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(String(await redis.send("INFO", "memory")))?.[1]);
}

async function bytesEach(work: (at: number) => Promise<unknown>): Promise<number> {
  await redis.send("MEMORY", "PURGE");
  const before = await usedBytes();
  for (let at = 0; at < records; at += 200) {
    await Promise.all(Array.from({ length: 200 }, (_, add) => work(at + add)));
  }
  return Math.round(((await usedBytes()) - before) / records);
}

const rows: Record<string, number> = {};
let names = 0;
function collection(indexes: ("status" | "owner")[]) {
  names += 1;
  return store.collection({ name: `c${names}`, schema, indexes, topic: `size-${names}` });
}
const value = (at: number, inputBytes: number) => ({
  status: "running",
  owner: `node-${at % 7}#abcdefghijklmnop`,
  input: "x".repeat(inputBytes),
});
const id = (at: number) => `exec_${String(at).padStart(20, "0")}`;

const small = collection([]);
rows["a record of three short fields, no index"] = await bytesEach((at) =>
  small.create(id(at), value(at, 20)),
);
const indexed = collection(["status", "owner"]);
rows["the same with two indexes"] = await bytesEach((at) => indexed.create(id(at), value(at, 20)));
rows["its expiry"] = await bytesEach((at) => indexed.update(id(at), { set: {} }, { expiresInMs: 3_600_000 }));
const event = { type: "execution.running", pattern: "content-classifier" };
rows["its first event, in its own log"] = await bytesEach((at) =>
  indexed.update(id(at), { set: { status: "completed" } }, { event }),
);
rows["each further event"] = await bytesEach((at) =>
  indexed.update(id(at), { set: { status: "completed" } }, { event }),
);
rows["its first deposit, of 100 bytes"] = await bytesEach((at) =>
  indexed.deposit(id(at), "task-1", "x".repeat(100)),
);
rows["each further deposit of 100 bytes"] = await bytesEach((at) =>
  indexed.deposit(id(at), "task-2", "x".repeat(100)),
);
const large = collection(["status", "owner"]);
rows["a record with a field of 1000 bytes and two indexes"] = await bytesEach((at) =>
  large.create(id(at), value(at, 1000)),
);
await store.close();
client.disconnect();
await redis.stop();

console.log(`bytes by used_memory of Redis, mean of ${records} records with ids of 25 characters`);
console.table(Object.fromEntries(Object.entries(rows).map(([name, bytes]) => [name, { bytes }])));
