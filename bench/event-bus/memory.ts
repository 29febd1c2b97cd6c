// How much memory of Redis an event takes, by the size of its JSON.

import { createEventBus } from "@parallax/event-bus";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { numbers } from "./options.ts";

const { events } = numbers({ events: 10_000 });
const sizes = [50, 100, 200, 500, 1000, 4000, 16_000];

const redis = await startRedis();
const client = new Redis(redis.url);
const bus = createEventBus({ store: redisTopicLog(client, { maxEntries: events }) });

/** An event whose JSON has that many bytes. */
function eventOf(sizeBytes: number): { type: string; text: string } {
  const rest = sizeBytes - JSON.stringify({ type: "changed", text: "" }).length;
  return { type: "changed", text: "x".repeat(rest) };
}

const table: Record<string, Record<string, number>> = {};
for (const sizeBytes of sizes) {
  const topic = `size${sizeBytes}`;
  for (let sent = 0; sent < events; sent += 500)
    await Promise.all(Array.from({ length: 500 }, () => bus.publish(topic, eventOf(sizeBytes))));
  const usedBytes = Number(await client.call("MEMORY", "USAGE", `parallax:log:${topic}`, "SAMPLES", 0));
  table[`${sizeBytes} B of JSON`] = {
    "B per event": Math.round(usedBytes / (await client.xlen(`parallax:log:${topic}`))),
    "MB per 10 000": Number(((usedBytes / events) * 0.01).toFixed(1)),
  };
}
await bus.close();
client.disconnect();
await redis.stop();
console.log(`memory that ${events} events take in a log`);
console.table(table);
