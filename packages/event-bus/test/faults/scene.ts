import type { Random } from "@parallax/core";
import { createConnections, createKeySpace, eventLogKeys, type KeySpace } from "@parallax/redis";
import {
  createFaultProxy,
  eventually,
  type FaultProxy,
  type RedisFixture,
  type SentinelFixture,
  startRedis,
  startSentinel,
} from "@parallax/testing";
import { openRedisBus, type RedisBus } from "../support/redis-bus.ts";

export const topic = "execution";

/** What a fault may use. */
export interface Scene {
  readonly keySpace: KeySpace;
  readonly random: Random;
  readonly publisher: RedisBus;
  readonly subscriber: RedisBus;
}

/** One kind of fault: where it happens, and what it does while events are published. Resolves once all is well again. */
export interface Fault {
  readonly name: string;
  prepare(prefix: string, random: Random): Promise<Scene>;
  strike(scene: Scene): Promise<void>;
  /** The gaps that may be reported, and no others. */
  readonly gaps: readonly string[];
}

/** So many that nothing is trimmed but by the fault that trims. */
const maxEntries = 1_000_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The faults, and what closes the servers that they were given. */
export function createFaults(): { readonly faults: readonly Fault[]; close(): Promise<void> } {
  let standalone: Promise<{ server: RedisFixture; proxy: FaultProxy }> | undefined;
  let sentinel: Promise<SentinelFixture> | undefined;

  async function startStandalone(): Promise<{ server: RedisFixture; proxy: FaultProxy }> {
    const server = await startRedis();
    return { server, proxy: await createFaultProxy({ target: server }) };
  }
  const redis = (): Promise<{ server: RedisFixture; proxy: FaultProxy }> =>
    (standalone ??= startStandalone());
  const sentinels = (): Promise<SentinelFixture> => (sentinel ??= startSentinel());

  async function prepare(prefix: string, random: Random): Promise<Scene> {
    const { server, proxy } = await redis();
    const keySpace = createKeySpace({ prefix });
    return {
      keySpace,
      random,
      publisher: openRedisBus({ connections: createConnections({ url: server.url }), keySpace, maxEntries }),
      subscriber: openRedisBus({ connections: createConnections({ url: proxy.url }), keySpace, maxEntries }),
    };
  }

  const onServer = (
    name: string,
    gaps: readonly string[],
    strike: (scene: Scene, server: RedisFixture) => Promise<unknown>,
  ): Fault => ({
    name,
    gaps,
    prepare,
    strike: async (scene) => void (await strike(scene, (await redis()).server)),
  });

  const faults: Fault[] = [
    onServer("killed subscriber", [], async (_, server) => {
      await server.send("CLIENT", "KILL", "TYPE", "pubsub");
    }),
    {
      name: "lost packets",
      gaps: [],
      prepare,
      async strike({ random }) {
        const { proxy } = await redis();
        proxy.blackhole();
        await pause(random.next() < 0.1 ? 30_000 : 500 + random.next() * 4000);
        proxy.pass();
      },
    },
    {
      name: "trimmed past the cursor",
      gaps: ["trimmed"],
      prepare,
      async strike({ keySpace, random }) {
        const { proxy, server } = await redis();
        await proxy.refuse();
        await pause(200 + random.next() * 500);
        await server.send(
          "XTRIM",
          eventLogKeys(keySpace, topic, 0).log,
          "MAXLEN",
          Math.floor(random.next() * 20),
        );
        proxy.pass();
      },
    },
    onServer("FLUSHALL", ["epoch"], (_, server) => server.send("FLUSHALL")),
    onServer("restarted empty", ["epoch"], async ({ random }, server) => {
      await server.kill();
      await pause(random.next() * 1000);
      await server.restart();
    }),
    {
      name: "killed primary",
      gaps: ["epoch", "rewound"],
      async prepare(prefix, random) {
        const { where } = await sentinels();
        const keySpace = createKeySpace({ prefix });
        const open = (): RedisBus =>
          openRedisBus({ connections: createConnections(where), keySpace, maxEntries });
        return { keySpace, random, publisher: open(), subscriber: open() };
      },
      async strike({ random }) {
        const all = await sentinels();
        const old = await all.primary();
        const replicas = all.servers.filter((server) => server !== old);
        // Every other time the replicas lag, so that the fail-over takes events back.
        const lagging = random.next() < 0.5;
        if (lagging) {
          for (const replica of replicas) replica.pause();
          await old.send("CLIENT", "KILL", "TYPE", "replica");
          await pause(random.next() * 500);
        }
        const failover = all.failover({ kill: true });
        await pause(500);
        if (lagging) for (const replica of replicas) replica.resume();
        await failover;
        await old.restart();
        await all.settled();
      },
    },
  ];
  return {
    faults,
    async close() {
      const [alone, group] = await Promise.all([standalone, sentinel]);
      await alone?.proxy.stop();
      await alone?.server.stop();
      await group?.stop();
    },
  };
}

/** Publishes without a break from before the fault until after it; returns how many appends are known to have worked. */
export async function publishThrough(scene: Scene, strike: () => Promise<void>): Promise<number> {
  const { publisher, random } = scene;
  let published = 0;
  let over = false;
  async function publishAll(): Promise<void> {
    while (!over) {
      const burst = Array.from({ length: 1 + Math.floor(random.next() * 20) }, (_, index) =>
        publisher.bus.publish(topic, { type: "step", index }),
      );
      const outcomes = await Promise.allSettled(burst);
      published += outcomes.filter(({ status }) => status === "fulfilled").length;
      await pause(random.next() * 20);
    }
  }
  const publishing = publishAll();
  await pause(random.next() * 300);
  try {
    await strike();
    await pause(random.next() * 300);
    // It works again: an event that is published from here on has to arrive.
    await eventually(() => publisher.bus.publish(topic, { type: "end" }).then(() => true), {
      timeoutMs: 40_000,
    });
  } finally {
    over = true;
    await publishing;
  }
  return published;
}
