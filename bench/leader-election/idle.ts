// What three candidates cost Redis while nothing happens.

import { startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { numbers, pause, startThree } from "./measure.ts";
import { subjects } from "./subjects.ts";

const { seconds, lease } = numbers({ seconds: 60, lease: 15_000 });

const redis = await startRedis();
const watcher = await new Redis(redis.url).monitor();
let commands = 0;
// What a script does inside of Redis costs no round trip.
watcher.on("monitor", (_time: string, _args: readonly string[], source: string) => {
  if (source !== "lua") commands += 1;
});

const table: Record<string, Record<string, string>> = {};
for (const subject of subjects) {
  await redis.send("FLUSHALL");
  const candidates = await startThree(subject, redis.url, lease);
  await pause(2000);
  commands = 0;
  await pause(seconds * 1000);
  table[subject.name] = { "commands/s": (commands / seconds).toFixed(2) };
  await Promise.all(candidates.map((candidate) => candidate.stop()));
}
watcher.disconnect();
await redis.stop();
console.log(`three candidates at rest for ${seconds} s, lease ${lease} ms`);
console.table(table);
