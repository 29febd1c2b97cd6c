// Workers of BullMQ. `children`: as many as an execution has agents, each answering at once. `parents`: collects what they said.

import { type Job, Worker } from "bullmq";
import { Redis } from "ioredis";

const [role = "", url = "", count = "1"] = process.argv.slice(2);
const options = () => ({
  connection: new Redis(url, { maxRetriesPerRequest: null }),
  concurrency: 100,
});

async function majority(job: Job): Promise<unknown> {
  const votes = new Map<string, number>();
  for (const value of Object.values(await job.getChildrenValues())) {
    const key = JSON.stringify(value);
    votes.set(key, (votes.get(key) ?? 0) + 1);
  }
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  return winner ? JSON.parse(winner[0]) : undefined;
}

const workers =
  role === "children"
    ? Array.from({ length: Number(count) }, () => new Worker("work", async (job) => job.data, options()))
    : [new Worker("execution", majority, options())];
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
console.log("connected");
