// How fast a subscriber that was away reads what it missed, against plain XRANGE pages of the same log.

import { createEventBus } from "@parallax/event-bus";
import { redisTopicLog } from "@parallax/event-bus/redis";
import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { median, numbers } from "./options.ts";

const { events, rounds } = numbers({ events: 100_000, rounds: 3 });
const pageSize = 500;

const redis = await startRedis();
const client = new Redis(redis.url);
const bus = createEventBus({ store: redisTopicLog(client, { maxEntries: 2 * events }) });
const cursor = await bus.position("bench");
for (let index = 0; index < events; index += 2000)
  await Promise.all(
    Array.from({ length: Math.min(2000, events - index) }, (_, offset) =>
      bus.publish("bench", { type: "step", index: index + offset }),
    ),
  );

async function byBus(): Promise<void> {
  await using reader = createEventBus({ store: redisTopicLog(client) });
  let read = 0;
  for await (const item of reader.iterate("bench", { from: { cursor } })) {
    if (item.type === "gap") throw new Error("catching up: there is a gap");
    read += 1;
    if (read === events) return;
  }
}

async function byRange(): Promise<void> {
  let after = "-";
  for (;;) {
    const rows = await client.xrange("parallax:log:bench", after, "+", "COUNT", pageSize);
    for (const [, fields] of rows) JSON.parse(fields[7] ?? "{}");
    const last = rows.at(-1);
    if (!last) return;
    after = `(${last[0]}`;
  }
}

async function perSecond(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return events / ((performance.now() - startedAt) / 1000);
}

const rates: { bus: number[]; range: number[] } = { bus: [], range: [] };
for (let round = 0; round < rounds; round += 1) {
  rates.range.push(await perSecond(byRange));
  rates.bus.push(await perSecond(byBus));
}
await bus.close();
client.disconnect();
await redis.stop();

const [ours, floor] = [median(rates.bus), median(rates.range)];
console.log(`catching up on ${events} events; median of ${rounds}`);
console.table({
  "@parallax/event-bus": { "events/s": Math.round(ours), ratio: (ours / floor).toFixed(2) },
  "XRANGE and JSON.parse": { "events/s": Math.round(floor), ratio: "1.00" },
});
