import { redisTopicLog } from "@parallax/event-bus/redis";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { redisMembershipStore } from "@parallax/membership/redis";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { Redis } from "ioredis";
import { createNode } from "./scheduler.ts";

const [name = "node-0", jobs = "0"] = process.argv.slice(2);
const redis = new Redis(process.env.REDIS_URL ?? "redis://localhost:6379");
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
const stores = [
  redisLeaseStore(redis),
  redisMembershipStore(redis),
  redisTopicLog(redis),
  redisRecordBackend(redis),
] as const;
const node = createNode(name, stores, async (id) => {
  console.log(`${name} runs ${id}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return name;
});
for (let index = 0; index < Number(jobs); index += 1) await node.submit(`job-${index}`);
await node.run(stop.signal);
redis.disconnect();
