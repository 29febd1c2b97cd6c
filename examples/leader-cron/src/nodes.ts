import { createElection, type LeaseStore } from "@parallax/leader-election";
import { memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { Redis } from "ioredis";
import { runCron } from "./cron.ts";
import { type Ledger, memoryLedger, redisLedger } from "./ledger.ts";

/** Where all replicas keep lease and ledger: the Redis of `REDIS_URL`, or this process. */
export interface Shared {
  readonly ledger: Ledger;
  openStore(): LeaseStore;
  close(): void;
}

export function openShared(redisUrl: string | undefined): Shared {
  if (redisUrl === undefined || redisUrl === "") {
    const space = memoryLeaseSpace();
    return { ledger: memoryLedger(), openStore: () => memoryLeaseStore(space), close: () => {} };
  }
  const redis = new Redis(redisUrl);
  const openStore = (): LeaseStore => redisLeaseStore(redis);
  return { ledger: redisLedger(redis), openStore, close: () => redis.disconnect() };
}

/** A replica that may run the jobs. */
export interface Replica {
  readonly name: string;
  readonly leads: boolean;
  stop(): Promise<void>;
  /** Ends like a process that is killed: it releases nothing. */
  kill(): Promise<void>;
}

/** Short, for a tour of seconds; the default is 15 s. */
const durations = { leaseDurationMs: 900, renewDeadlineMs: 600, retryPeriodMs: 150 };

export interface ReplicaOptions {
  readonly everyMs: number;
  readonly onRun: (name: string, slot: number) => void;
}

/** Starts a replica with one job, `report`. */
export function startReplica(name: string, shared: Shared, options: ReplicaOptions): Replica {
  const { everyMs, onRun } = options;
  const store = shared.openStore();
  const election = createElection({ store, nodeId: name, ...durations });
  const job = { name: "report", everyMs, run: async (slot: number) => onRun(name, slot) };
  const stopping = new AbortController();
  const running = runCron(election, shared.ledger, [job], stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
    await store[Symbol.asyncDispose]();
  };
  return {
    name,
    get leads() {
      return election.term() !== undefined;
    },
    stop,
    async kill() {
      await store[Symbol.asyncDispose]();
      await stop();
    },
  };
}
