import { z } from "zod";
import type { Collection, StateStore } from "../collection.ts";
import { createStateStore } from "../state-store.ts";
import type { RecordBackend } from "../store.ts";

/** What the suite needs of a test runner: vitest, node:test and jest have it. */
export interface TestApi {
  describe(name: string, define: () => void): void;
  it(name: string, run: () => Promise<void>): void;
}

/** Records that several nodes share, at first none. */
export interface RecordSpace {
  /** Another node. The suite disposes of it. */
  connect(): Promise<RecordBackend>;
  /** Lets at least `ms` of the store's time pass. */
  pass(ms: number): Promise<void>;
  /** The events of a topic, in order within each partition. */
  events(topic: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the backend under test has. */
export interface Capabilities {
  /** How many partitions the space has. */
  readonly partitions: number;
}

/** The record that most tests use. */
export type Job = {
  readonly status: "waiting" | "running" | "done" | "failed";
  readonly owner?: string | undefined;
  readonly attempts: number;
  readonly note?: string | undefined;
};

const jobSchema: z.ZodType<Job> = z.object({
  status: z.enum(["waiting", "running", "done", "failed"]),
  owner: z.string().optional(),
  attempts: z.number(),
  note: z.string().optional(),
});

/** One node on a space. */
export interface Node {
  readonly backend: RecordBackend;
  readonly store: StateStore;
  readonly jobs: Collection<Job>;
}

/** A space with one node, and more on demand. */
export interface Bench extends Node {
  readonly space: RecordSpace;
  another(): Promise<Node>;
}

export type Run = (test: (bench: Bench) => Promise<void>) => () => Promise<void>;

/** A job that waits. */
export const waiting: Job = { status: "waiting", attempts: 0 };

function openJobs(store: StateStore): Collection<Job> {
  return store.collection({
    name: "job",
    schema: jobSchema,
    indexes: ["status", "owner"],
    final: { status: ["done", "failed"] },
    topic: "job",
  });
}

/** Runs a test on a fresh space and closes what it opened. */
export function createRun(makeSpace: () => Promise<RecordSpace>): Run {
  return (test) => async () => {
    await using space = await makeSpace();
    const stores: StateStore[] = [];
    const another = async (): Promise<Node> => {
      const backend = await space.connect();
      const store = createStateStore({ backend, batchSize: 16, limits: { logEntries: 5, inboxBytes: 1000 } });
      stores.push(store);
      return { backend, store, jobs: openJobs(store) };
    };
    try {
      await test({ space, another, ...(await another()) });
    } finally {
      for (const store of stores) await store.close();
    }
  };
}

/** The record, which must be there. */
export async function mustGet(jobs: Collection<Job>, id: string): Promise<Job> {
  const record = await jobs.get(id);
  if (!record) throw new Error(`${id} is not there`);
  return record.value;
}
