import { slotCount, slotOf } from "@parallax/redis";
import { eventually } from "./eventually.ts";
import { createRedisFixture, type RedisFixture, redisArguments } from "./redis-server.ts";
import { beginSlotMove, type SlotMove } from "./slot-move.ts";

/** Options of {@link startCluster}. */
export interface ClusterFixtureOptions {
  /** Further configuration of the nodes. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
  /** How many primaries share the slots. Default 3. */
  readonly primaries?: number;
  /** How many replicas each has. Default 1. */
  readonly replicas?: number;
  /** How long a node may be silent before the others hold it to be down, in milliseconds. Default 5000:
   * on a busy machine a shorter one makes them fail over when nobody asked for it. */
  readonly nodeTimeoutMs?: number;
}

/** A Redis Cluster of the test's own. */
export interface ClusterFixture {
  /** What `createConnections` takes. */
  readonly where: { readonly cluster: { readonly nodes: readonly string[] } };
  /** All nodes, those that were added included. */
  readonly nodes: readonly RedisFixture[];
  /** The primary that owns a slot now, as any living node sees it, or the one that is asked. A key is as good as its slot. */
  primaryOf(slotOrKey: number | string, asked?: RedisFixture): Promise<RedisFixture>;
  /** The living replicas of a primary. */
  replicasOf(primary: RedisFixture): Promise<readonly RedisFixture[]>;
  /**
   * Makes the replica of a slot's primary the primary, and resolves with it once all living nodes know.
   * `kill`: the old one is killed, and stays so. Otherwise it hands over and becomes a replica. `unaided`: the others have to
   * find out by themselves that it is dead, which takes their time-out and answers with CLUSTERDOWN meanwhile.
   */
  failover(
    slotOrKey: number | string,
    options?: { readonly kill?: boolean; readonly unaided?: boolean },
  ): Promise<RedisFixture>;
  /** Starts a node that was killed and replaced. Resolves once it and all other replicas are in step. */
  revive(node: RedisFixture): Promise<void>;
  /** Adds an empty primary. */
  addPrimary(): Promise<RedisFixture>;
  /** Begins to move a slot, in steps, so that a test can look in between. */
  beginMove(slotOrKey: number | string, to: RedisFixture): Promise<SlotMove>;
  /** Moves a slot with all its keys. */
  moveSlot(slotOrKey: number | string, to: RedisFixture): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const timeoutMs = 30_000;
/** How far from its port a node's bus is. */
const busOffset = 10_000;

interface Range {
  readonly first: number;
  readonly last: number;
  readonly ports: readonly number[];
}

/** Starts the nodes, joins them, and waits until every node holds the Cluster to be complete. */
export async function startCluster(options: ClusterFixtureOptions = {}): Promise<ClusterFixture> {
  const { config = {}, primaries = 3, replicas = 1, nodeTimeoutMs = 5000 } = options;
  const start = (): Promise<RedisFixture> => startNode(config, nodeTimeoutMs);
  const nodes = await Promise.all(Array.from({ length: primaries * (1 + replicas) }, start));
  const dead = new Set<RedisFixture>();
  let primaryCount = primaries;
  const living = (): RedisFixture[] => nodes.filter((node) => !dead.has(node));
  const slotNumber = (slotOrKey: number | string): number =>
    typeof slotOrKey === "number" ? slotOrKey : slotOf(slotOrKey);
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };

  async function primaryOf(slotOrKey: number | string, asked?: RedisFixture): Promise<RedisFixture> {
    const slot = slotNumber(slotOrKey);
    // One that stands still does not answer.
    const ranges = await (asked ? slotRanges(asked) : Promise.any(living().map(slotRanges)));
    const port = ranges.find((range) => range.first <= slot && slot <= range.last)?.ports[0];
    const owner = nodes.find((node) => node.port === port);
    if (owner) return owner;
    throw new Error(`nobody owns slot ${slot}`);
  }

  /** Waits until all living nodes name the same owner of a slot, one that is meant. */
  async function agreedOwner(
    slotOrKey: number | string,
    isMeant: (owner: RedisFixture) => boolean,
  ): Promise<RedisFixture> {
    return eventually(
      async () => {
        const named = await Promise.all(living().map((node) => primaryOf(slotOrKey, node)));
        const [owner] = named;
        return owner && isMeant(owner) && named.every((other) => other === owner) && owner;
      },
      { timeoutMs, message: "all nodes to know the new owner of the slot" },
    );
  }

  /** A replica, as the others see it. One that has just been a primary itself is none before they have heard of it. */
  async function heirOf(primary: RedisFixture): Promise<RedisFixture> {
    const others = living().filter((node) => node !== primary);
    return eventually(
      async () => {
        const [replica] = await Promise.any(others.map((asked) => replicasOf(primary, others, asked)));
        return replica;
      },
      { timeoutMs, message: `the primary on port ${primary.port} to have a replica` },
    );
  }

  const fixture: ClusterFixture = {
    where: { cluster: { nodes: nodes.slice(0, primaries).map(({ port }) => `127.0.0.1:${port}`) } },
    nodes,
    primaryOf,
    replicasOf: (primary) => replicasOf(primary, living()),
    async failover(slotOrKey, { kill = false, unaided = false } = {}) {
      const old = await primaryOf(slotOrKey);
      const replica = await heirOf(old);
      if (kill) {
        dead.add(old);
        await old.kill();
      }
      // Votes that are refused, for a slot was moved just now, are asked for again only after four time-outs.
      const how = kill ? ["TAKEOVER"] : [];
      if (!unaided) await eventually(() => takesOver(replica, how), { timeoutMs, everyMs: 1000 });
      return agreedOwner(slotOrKey, (owner) => owner !== old);
    },
    async revive(node) {
      await node.restart();
      dead.delete(node);
      await eventually(() => replicasInStep(living(), living().length - primaryCount), {
        timeoutMs,
        message: "the replicas to be in step again",
      });
    },
    async addPrimary() {
      const node = await start();
      const [first] = living();
      nodes.push(node);
      primaryCount += 1;
      await node.send("CLUSTER", "SET-CONFIG-EPOCH", nodes.length);
      if (first) await node.send("CLUSTER", "MEET", "127.0.0.1", first.port);
      await allAgree(living());
      return node;
    },
    async beginMove(slotOrKey, to) {
      const slot = slotNumber(slotOrKey);
      const settled = async (): Promise<void> => {
        await agreedOwner(slot, (owner) => owner === to);
        await sameConfiguration(living());
      };
      return beginSlotMove({ slot, from: await primaryOf(slot), to, nodes: living(), settled });
    },
    async moveSlot(slotOrKey, to) {
      const move = await fixture.beginMove(slotOrKey, to);
      await move.moveKeys();
      await move.finish();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
  try {
    await join(nodes, primaries);
  } catch (error) {
    await stop();
    throw error;
  }
  return fixture;
}

/** Asks a replica to become a primary, and says whether it is one. */
async function takesOver(replica: RedisFixture, how: readonly string[]): Promise<boolean> {
  const isPrimary = async (): Promise<boolean> =>
    String(await replica.send("INFO", "replication")).includes("role:master");
  if (await isPrimary()) return true;
  await replica.send("CLUSTER", "FAILOVER", ...how);
  return eventually(isPrimary, { timeoutMs: 2000 });
}

function startNode(
  config: Readonly<Record<string, string | readonly string[]>>,
  nodeTimeoutMs: number,
): Promise<RedisFixture> {
  const launch = (port: number, directory: string): { args: readonly string[] } => ({
    args: redisArguments({
      port: String(port),
      bind: "127.0.0.1",
      dir: directory,
      save: "",
      appendonly: "no",
      "cluster-enabled": "yes",
      "cluster-config-file": "nodes.conf",
      "cluster-node-timeout": String(nodeTimeoutMs),
      "repl-diskless-sync": "yes",
      "repl-diskless-sync-delay": "0",
      "repl-ping-replica-period": "1",
      ...config,
    }),
  });
  return createRedisFixture(launch, [busOffset]);
}

/** Gives the slots to the primaries in equal ranges, makes all meet, and the rest their replicas. */
async function join(nodes: readonly RedisFixture[], primaryCount: number): Promise<void> {
  const primaries = nodes.slice(0, primaryCount);
  const [first, ...others] = nodes;
  await Promise.all(nodes.map((node, index) => node.send("CLUSTER", "SET-CONFIG-EPOCH", index + 1)));
  for (const [index, primary] of primaries.entries()) {
    const from = Math.ceil((index * slotCount) / primaryCount);
    const to = Math.ceil(((index + 1) * slotCount) / primaryCount);
    const slots = Array.from({ length: to - from }, (_, offset) => from + offset);
    await primary.send("CLUSTER", "ADDSLOTS", ...slots);
  }
  for (const other of others) await first?.send("CLUSTER", "MEET", "127.0.0.1", other.port);
  await allAgree(nodes);
  for (const [index, replica] of nodes.slice(primaryCount).entries()) {
    const primary = primaries[index % primaryCount];
    if (primary)
      await replica.send("CLUSTER", "REPLICATE", await primary.send("CLUSTER", "MYID").then(String));
  }
  await eventually(() => replicasInStep(nodes, nodes.length - primaryCount), {
    timeoutMs,
    message: "the replicas to be in step",
  });
}

/** Waits until each node knows all others, and holds all slots to be served. */
async function allAgree(nodes: readonly RedisFixture[]): Promise<void> {
  await eventually(
    async () => {
      const infos = await Promise.all(nodes.map(async (node) => String(await node.send("CLUSTER", "INFO"))));
      return infos.every(
        (info) =>
          info.includes("cluster_state:ok") &&
          Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1]) >= nodes.length,
      );
    },
    { timeoutMs, message: "the nodes of the Cluster to agree" },
  );
}

/** Waits until all nodes say the same of each primary: its epoch and its slots. */
async function sameConfiguration(nodes: readonly RedisFixture[]): Promise<void> {
  await eventually(
    async () => {
      const views = await Promise.all(nodes.map(primaryLines));
      return new Set(views).size === 1;
    },
    { timeoutMs, message: "the nodes of the Cluster to know each other's epochs and slots" },
  );
}

/** What a node knows of the primaries that serve slots: id, epoch and slots of each, in one text. */
async function primaryLines(node: RedisFixture): Promise<string> {
  const lines = String(await node.send("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  return lines
    .flatMap((line) => {
      const [id, , flags, , , , epoch, , ...slots] = line.split(" ");
      // A slot on its way is known to two nodes only: [slot->-id].
      const served = slots.filter((slot) => !slot.startsWith("["));
      return flags?.includes("master") && served.length > 0 ? [`${id} ${epoch} ${served.join(" ")}`] : [];
    })
    .sort()
    .join("\n");
}

async function replicasInStep(nodes: readonly RedisFixture[], replicas: number): Promise<boolean> {
  const infos = await Promise.all(nodes.map(async (node) => String(await node.send("INFO", "replication"))));
  const inStep = infos.filter((info) => info.includes("master_link_status:up")).length;
  if (inStep !== replicas) return false;
  const listed = await Promise.all(nodes.map(slotRanges));
  // Slots that were moved make more ranges than there are primaries.
  return listed.every((ranges) => new Set(ranges.flatMap(({ ports }) => ports.slice(1))).size === replicas);
}

async function replicasOf(
  primary: RedisFixture,
  nodes: readonly RedisFixture[],
  asked: RedisFixture = primary,
): Promise<readonly RedisFixture[]> {
  const ranges = await slotRanges(asked);
  const ports = ranges.find((range) => range.ports[0] === primary.port)?.ports ?? [];
  return nodes.filter((node) => node !== primary && ports.includes(node.port));
}

async function slotRanges(node: RedisFixture | undefined): Promise<readonly Range[]> {
  const reply: unknown = await node?.send("CLUSTER", "SLOTS");
  if (!Array.isArray(reply)) return [];
  return reply.map((entry: unknown) => {
    const [first, last, ...servers]: unknown[] = Array.isArray(entry) ? entry : [];
    const ports = servers.map((server) => (Array.isArray(server) ? Number(server[1]) : 0));
    return { first: Number(first), last: Number(last), ports };
  });
}
