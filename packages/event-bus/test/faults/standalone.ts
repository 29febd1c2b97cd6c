import { eventLogKeys } from "@parallax/redis";
import { createFaultProxy, type FaultProxy, type RedisFixture, startRedis } from "@parallax/testing";
import { defineStage, type Fault, pause, type Stage, type StageOptions, topic } from "./scene.ts";

/** A server, and the proxy through which the subscriber reaches it. */
interface Servers {
  readonly server: RedisFixture;
  readonly proxy: FaultProxy;
}

const servers: Pick<StageOptions<Servers>, "start" | "where" | "stop"> = {
  async start() {
    const server = await startRedis();
    return { server, proxy: await createFaultProxy({ target: server }) };
  },
  where: ({ server, proxy }) => ({ publisher: { url: server.url }, subscriber: { url: proxy.url } }),
  async stop({ server, proxy }) {
    await proxy.stop();
    await server.stop();
  },
};

const faults: readonly Fault<Servers>[] = [
  {
    name: "subscriber killed",
    gaps: [],
    async strike({ random }, { server }) {
      for (let times = 1 + random.next() * 3; times > 0; times -= 1) {
        await server.send("CLIENT", "KILL", "TYPE", "pubsub");
        await pause(random.next() * 300);
      }
    },
  },
  {
    name: "trimmed past the cursor",
    gaps: ["trimmed"],
    async strike({ keySpace, random }, { server, proxy }) {
      await proxy.refuse();
      await pause(200 + random.next() * 500);
      const { log } = eventLogKeys(keySpace, topic, 0);
      await server.send("XTRIM", log, "MAXLEN", Math.floor(random.next() * 20));
      proxy.pass();
    },
  },
  {
    name: "FLUSHALL",
    gaps: ["epoch"],
    strike: (_, { server }) => server.send("FLUSHALL"),
  },
  {
    name: "SCRIPT FLUSH",
    gaps: [],
    async strike({ random }, { server }) {
      for (let times = 0; times < 20; times += 1) {
        await server.send("SCRIPT", "FLUSH", random.next() < 0.5 ? "SYNC" : "ASYNC");
        await pause(random.next() * 30);
      }
    },
  },
  {
    name: "restarted empty",
    gaps: ["epoch"],
    async strike({ random }, { server }) {
      await server.kill();
      await pause(random.next() * 1000);
      await server.restart();
    },
  },
  {
    name: "full, and refuses",
    gaps: [],
    refusal: /\bOOM\b/,
    async strike({ random }, { server }) {
      await fill(server, "noeviction");
      await pause(300 + random.next() * 1000);
      await drain(server);
    },
  },
  {
    // Whoever lets Redis evict loses logs, or halves of them; that, too, is told.
    name: "full, and evicts",
    gaps: ["epoch", "trimmed"],
    refusal: /\bOOM\b/,
    async strike({ random }, { server }) {
      await fill(server, "allkeys-random");
      await pause(300 + random.next() * 1000);
      await drain(server);
    },
  },
];

/** Leaves no memory: what is over the bound is refused, or costs others their place. */
async function fill(server: RedisFixture, policy: string): Promise<void> {
  const info = String(await server.send("INFO", "memory"));
  const usedBytes = Number(/used_memory:(\d+)/.exec(info)?.[1]);
  await server.send("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", usedBytes + 200_000);
  for (let index = 0; index < 30; index += 1)
    await server.send("SETRANGE", `filler:${index}`, 10_000, "x").catch(() => {});
}

async function drain(server: RedisFixture): Promise<void> {
  const fillers = Array.from({ length: 30 }, (_, index) => `filler:${index}`);
  await server.send("DEL", ...fillers);
  await server.send("CONFIG", "SET", "maxmemory", 0);
}

/** One server that is hurt in a moment. */
export const standalone: Stage = defineStage({ ...servers, lanes: 2, faults });

function cutOff(name: string, ms: () => number, paceMs: number): Fault<Servers> {
  return {
    name,
    gaps: [],
    paceMs,
    async strike(_, { proxy }) {
      proxy.blackhole();
      await pause(ms());
      proxy.pass();
    },
  };
}

/** A subscriber that is cut off while its sockets stay open. Most of it is waiting. */
export const cutOffSubscriber: Stage = defineStage({
  ...servers,
  lanes: 8,
  faults: [cutOff("cut off for 30 s", () => 30_000, 60)],
});

/** The same, for a moment. */
export const brieflyCutOffSubscriber: Stage = defineStage({
  ...servers,
  lanes: 1,
  faults: [cutOff("cut off for a moment", () => 1500, 20)],
});
