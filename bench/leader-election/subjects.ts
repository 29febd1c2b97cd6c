import { createElection } from "@parallax/leader-election";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import { Redis } from "ioredis";
import Redlock, { type Lock } from "redlock";
import { createSafeRedisLeader } from "safe-redis-leader";

/** One of several processes that want to lead. */
export interface Candidate {
  /** Whether it acts as the leader now, as its users would see it. */
  leads(): boolean;
  /** Ends and gives the lease back. */
  stop(): Promise<void>;
  /** Ends like a process that is killed. */
  kill(): void;
}

export interface Subject {
  readonly name: string;
  start(url: string, id: string, leaseMs: number): Promise<Candidate>;
}

/** How often the peers try that poll, in ms: redlock's own default. */
const pollMs = 200;

const ours: Subject = {
  name: "@parallax/leader-election",
  async start(url, id, leaseDurationMs) {
    const client = new Redis(url);
    const store = redisLeaseStore(client);
    const election = createElection({ store, nodeId: id, leaseDurationMs });
    const ending = new AbortController();
    const running = election.run(
      (term) => new Promise((resolve) => term.signal.addEventListener("abort", () => resolve())),
      { signal: ending.signal },
    );
    const close = async (): Promise<void> => {
      await store[Symbol.asyncDispose]();
      client.disconnect();
    };
    let isKilled = false;
    return {
      leads: () => !isKilled && election.term() !== undefined,
      async stop() {
        ending.abort();
        await running;
        await close();
      },
      kill() {
        isKilled = true;
        void close().then(() => ending.abort());
      },
    };
  },
};

/** Redlock on one Redis, in the loop that its users write: poll for the lock, extend it at half of its time. */
const redlock: Subject = {
  name: "redlock 4",
  async start(url, id, leaseMs) {
    const client = new Redis(url);
    const locker = new Redlock([client], { retryCount: -1, retryDelay: pollMs });
    locker.on("clientError", () => {});
    let lock: Lock | undefined;
    let isEnded = false;
    const loop = async (): Promise<void> => {
      while (!isEnded) {
        try {
          lock = await locker.lock("bench:leader", leaseMs);
          while (!isEnded && lock) {
            await new Promise((resolve) => setTimeout(resolve, leaseMs / 2));
            if (!isEnded) lock = await lock.extend(leaseMs);
          }
        } catch {
          lock = undefined;
        }
      }
    };
    void loop().catch((error: unknown) => console.error(id, error));
    return {
      leads: () => !isEnded && lock !== undefined,
      async stop() {
        isEnded = true;
        await lock?.unlock().catch(() => {});
        client.disconnect();
      },
      kill() {
        isEnded = true;
        client.disconnect();
      },
    };
  },
};

const safeRedisLeader: Subject = {
  name: "safe-redis-leader",
  async start(url, _, leaseMs) {
    const asyncRedis = new Redis(url);
    const leader = await createSafeRedisLeader({ asyncRedis, ttl: leaseMs, wait: pollMs, key: "bench" });
    let leads = false;
    leader.on("elected", () => {
      leads = true;
    });
    leader.on("demoted", () => {
      leads = false;
    });
    leader.on("error", () => {});
    void leader.elect();
    return {
      leads: () => leads,
      async stop() {
        leads = false;
        await leader.shutdown().catch(() => {});
        asyncRedis.disconnect();
      },
      kill() {
        leads = false;
        asyncRedis.disconnect();
      },
    };
  },
};

/** Ours first. None of the peers has a fencing token. */
export const subjects: readonly Subject[] = [ours, redlock, safeRedisLeader];
