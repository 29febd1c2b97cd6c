import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@parallax/core";
import { createConnections, createKeySpace, type KeySpace, type RedisConnections } from "@parallax/redis";
import {
  type ClusterFixture,
  createFaultProxy,
  type FaultProxy,
  type RedisFixture,
  type SentinelFixture,
  startCluster,
  startRedis,
  startSentinel,
} from "@parallax/testing";
import type { StateStore } from "../../src/collection.ts";
import { redisRecordBackend } from "../../src/redis.ts";
import { createStateStore } from "../../src/state-store.ts";

/** Nodes on a Redis, ready for a fault. */
export interface Scene {
  readonly stores: readonly StateStore[];
  readonly connections: readonly RedisConnections[];
  readonly keySpace: KeySpace;
  readonly random: Random;
}

/** One kind of fault. `strike` resolves once all is well again. */
export interface Fault {
  readonly name: string;
  prepare(prefix: string, random: Random): Promise<Scene>;
  strike(scene: Scene): Promise<void>;
}

/** So many that nothing is trimmed: every change is looked for in the end. */
const maxTopicEntries = 1_000_000;

type Where = Parameters<typeof createConnections>[0];

function openScene(where: readonly Where[], prefix: string, random: Random): Scene {
  const connections = where.map((one) => createConnections(one));
  const cluster = connections[0]?.mode === "cluster";
  const keySpace = createKeySpace({ prefix, cluster });
  const stores = connections.map((connection) =>
    createStateStore({
      backend: redisRecordBackend(connection, { keySpace, maxTopicEntries }),
      timeoutMs: 8000,
      random,
    }),
  );
  return { stores, connections, keySpace, random };
}

/** Faults on one server, behind a proxy for each node. */
function standaloneFaults() {
  let opened: Promise<{ server: RedisFixture; proxies: readonly FaultProxy[] }> | undefined;

  async function open() {
    const server = await startRedis();
    const proxies = await Promise.all([0, 1].map(() => createFaultProxy({ target: server })));
    return { server, proxies };
  }
  const get = () => (opened ??= open());
  const fault = (
    name: string,
    strike: (server: RedisFixture, proxies: readonly FaultProxy[], random: Random) => Promise<unknown>,
  ): Fault => ({
    name,
    async prepare(prefix, random) {
      const { proxies } = await get();
      return openScene(
        proxies.map(({ url }) => ({ url })),
        prefix,
        random,
      );
    },
    async strike({ random }) {
      const { server, proxies } = await get();
      await strike(server, proxies, random);
    },
  });

  const faults = [
    fault("connections reset", async (_, proxies, random) => {
      for (let round = 0; round < 10; round += 1) {
        proxies[round % 2]?.reset();
        await sleep(random.next() * 50);
      }
    }),
    fault("lost packets", async (_, [proxy], random) => {
      proxy?.blackhole(random.next() < 0.5 ? "to-client" : "to-server");
      await sleep(500 + random.next() * 1500);
      proxy?.pass();
    }),
    fault("SCRIPT FLUSH", async (server, _, random) => {
      for (let round = 0; round < 20; round += 1) {
        await server.send("SCRIPT", "FLUSH");
        await sleep(random.next() * 10);
      }
    }),
    fault("memory full", async (server, _, random) => {
      for (let round = 0; round < 5; round += 1) {
        await server.send("CONFIG", "SET", "maxmemory", 1);
        await sleep(random.next() * 30);
        await server.send("CONFIG", "SET", "maxmemory", 0);
        await sleep(random.next() * 30);
      }
    }),
    fault("FLUSHALL", (server) => server.send("FLUSHALL")),
    // As a fail-over to a replica that lags: what was acknowledged since the save is taken back.
    fault("rewound", async (server, _, random) => {
      await server.send("SAVE");
      await sleep(20 + random.next() * 100);
      await server.restart({ keepData: true });
    }),
    fault("demoted for a while", async (server, _, random) => {
      await server.send("REPLICAOF", "127.0.0.1", 1);
      await sleep(random.next() * 300);
      await server.send("REPLICAOF", "NO", "ONE");
    }),
  ];
  return {
    faults,
    async close() {
      const all = await opened;
      await Promise.race([Promise.all(all?.proxies.map((proxy) => proxy.stop()) ?? []), sleep(500)]);
      await all?.server.stop();
    },
  };
}

/** Fail-over by Sentinel, every other time to a replica that lags. */
function sentinelFaults() {
  let opened: Promise<SentinelFixture> | undefined;
  const get = () => (opened ??= startSentinel());
  const killed: Fault = {
    name: "killed primary",
    async prepare(prefix, random) {
      const { where } = await get();
      return openScene([where, where], prefix, random);
    },
    async strike({ random }) {
      const all = await get();
      const old = await all.primary();
      const replicas = all.servers.filter((server) => server !== old);
      const isLagging = random.next() < 0.7;
      if (isLagging) {
        for (const replica of replicas) replica.pause();
        await old.send("CLIENT", "KILL", "TYPE", "replica");
        await sleep(random.next() * 500);
      }
      const failover = all.failover({ kill: true });
      await sleep(500);
      if (isLagging) for (const replica of replicas) replica.resume();
      await failover;
      await old.restart();
      await all.settled();
    },
  };
  return { faults: [killed], close: async () => (await opened)?.stop() };
}

/** Slots that move from one primary to another under load, and a primary that hands over. */
function clusterFaults() {
  let opened: Promise<ClusterFixture> | undefined;
  const get = () => (opened ??= startCluster());

  async function prepare(prefix: string, random: Random): Promise<Scene> {
    const { where } = await get();
    return openScene([where, where], prefix, random);
  }

  async function moveAway(scene: Scene, partition: number): Promise<void> {
    const cluster = await get();
    const { keySpace } = scene;
    const key = (name: string) => keySpace.partitioned(partition, name);
    const fences = Array.from({ length: keySpace.partitions }, (_, at) => keySpace.partitioned(at, "fence"));
    const owners = await Promise.all(fences.map((fence) => cluster.primaryOf(fence)));
    const to = owners.find((owner) => owner !== owners[partition]);
    if (!to) throw new Error("moving a slot: one primary has them all");
    const move = await cluster.beginMove(key("fence"), to);
    await move.moveKeys([key("index:link"), key("log:link")]);
    await sleep(scene.random.next() * 200);
    await move.moveKeys();
    await move.finish();
  }

  const faults: Fault[] = [
    {
      name: "slots moved",
      prepare,
      async strike(scene) {
        const ids = ["l0", "l1", "l2"];
        const partitions = new Set(ids.map((id) => scene.keySpace.partitionOf(id)));
        for (const partition of partitions) await moveAway(scene, partition);
      },
    },
    {
      name: "shard handed over",
      prepare,
      async strike(scene) {
        const fence = scene.keySpace.partitioned(scene.keySpace.partitionOf("l0"), "fence");
        await (await get()).failover(fence);
      },
    },
  ];
  return { faults, close: async () => (await opened)?.stop() };
}

/** The faults, those of a single server first, and what closes all servers that were started. */
export function createFaults(): { readonly faults: readonly Fault[]; close(): Promise<void> } {
  const groups = [standaloneFaults(), sentinelFaults(), clusterFaults()];
  return {
    faults: groups.flatMap(({ faults }) => faults),
    close: async () => void (await Promise.all(groups.map((group) => group.close()))),
  };
}
