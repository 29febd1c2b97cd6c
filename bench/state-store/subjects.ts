import { createStateStore } from "@parallax/state-store";
import { redisRecordBackend } from "@parallax/state-store/redis";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { z } from "zod";

/** What every subject writes with each change: about 250 bytes as JSON. */
export const payload = {
  pattern: "content-classifier",
  input: { text: "The quick brown fox jumps over the lazy dog, again and again. ".repeat(2), language: "en" },
  options: { timeoutMs: 30_000, priority: 3, tags: ["nightly", "batch-17"] },
};

/** A way to write down what happened to a piece of work. */
export interface Subject {
  readonly name: string;
  open(url: string): Promise<OpenSubject>;
}

export interface OpenSubject {
  /** Resolves once Redis has acknowledged one more change. */
  change(): Promise<unknown>;
  close(): Promise<void>;
}

const records = 1000;
const statuses = ["pending", "running", "aggregating"] as const;
const schema = z.object({
  status: z.enum(statuses),
  owner: z.string(),
  pattern: z.string(),
  input: z.object({ text: z.string(), language: z.string() }),
  options: z.object({ timeoutMs: z.number(), priority: z.number(), tags: z.array(z.string()) }),
});

/** Ours, on connections and records as a node has them. */
async function openStore(url: string, logEntries: number) {
  const client = new Redis(url);
  const store = createStateStore({ backend: redisRecordBackend(client) });
  const jobs = store.collection({
    name: "job",
    schema,
    indexes: ["status", "owner"],
    topic: "job",
    logEntries,
  });
  await store.time();
  const close = async () => {
    await store.close();
    client.disconnect();
  };
  return { jobs, close };
}

/** `mutate`: version as expected, payload, both indexes, topic log, publish; and perhaps a log of each record's own. */
const update = (name: string, logEntries: number): Subject => ({
  name,
  async open(url) {
    const { jobs, close } = await openStore(url, logEntries);
    const all = Array.from({ length: records }, (_, at) => ({
      id: `job_${at}`,
      version: Promise.resolve(1),
    }));
    await Promise.all(all.map(({ id }) => jobs.create(id, { status: "pending", owner: "none", ...payload })));
    let next = 0;
    async function changeOne(id: string, version: number): Promise<number> {
      const status = statuses[version % statuses.length] ?? "pending";
      const set = { status, owner: `node_${version % 7}`, ...payload };
      const result = await jobs.update(id, { set }, { version, event: { type: "job.changed", status } });
      if (result.outcome !== "ok") throw new Error(`updating ${id}: ${result.outcome}`);
      return result.version;
    }
    return {
      async change() {
        // All the others come first. Even so a stall may bring a record up again before its last change is done.
        const record = all[next % records];
        next += 1;
        if (!record) return;
        record.version = record.version.then((version) => changeOne(record.id, version));
        await record.version;
      },
      close,
    };
  },
});

/** The same with a new record each time, as a queue has a new job. */
const create: Subject = {
  name: "state-store create",
  async open(url) {
    const { jobs, close } = await openStore(url, 0);
    let count = 0;
    return {
      async change() {
        count += 1;
        const event = { type: "job.changed", status: "pending" };
        const value = { status: "pending", owner: `node_${count % 7}`, ...payload } as const;
        const result = await jobs.create(`job_${count}`, value, { event });
        if (result.outcome !== "created") throw new Error(`creating job_${count}: ${result.outcome}`);
      },
      close,
    };
  },
};

/** One script a job: hash, list and an entry in its stream of events. */
const bullmqAdd: Subject = {
  name: "BullMQ add",
  async open(url) {
    const { hostname: host, port } = new URL(url);
    const queue = new Queue("bench", { connection: { host, port: Number(port) } });
    await queue.waitUntilReady();
    return {
      change: () => queue.add("job", payload),
      close: () => queue.close(),
    };
  },
};

/** The floor: no condition, no index, no event. */
const hset: Subject = {
  name: "plain HSET, pipelined",
  async open(url) {
    const client = new Redis(url);
    await client.ping();
    const value = JSON.stringify(payload);
    let count = 0;
    return {
      change() {
        count += 1;
        return client.hset(`job_${count % records}`, "status", "pending", "owner", "none", "payload", value);
      },
      close: async () => client.disconnect(),
    };
  },
};

export const ours: Subject = update("state-store update", 0);
export const peer: Subject = bullmqAdd;
export const floor: Subject = hset;
export const subjects: readonly Subject[] = [
  ours,
  update("state-store update, own log", 200),
  create,
  bullmqAdd,
  hset,
];
