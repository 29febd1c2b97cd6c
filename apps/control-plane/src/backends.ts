import { readFileSync } from "node:fs";
import { type Logger, ParallaxError, randomId, systemClock } from "@parallax/core";
import type { TopicLog } from "@parallax/event-bus";
import { type MemoryEventLogSpace, memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { redisTopicLog } from "@parallax/event-bus/redis";
import type { LeaseStore } from "@parallax/leader-election";
import { type MemoryLeaseSpace, memoryLeaseSpace, memoryLeaseStore } from "@parallax/leader-election/memory";
import { redisLeaseStore } from "@parallax/leader-election/redis";
import type { MembershipStore } from "@parallax/membership";
import {
  type MemoryMembershipSpace,
  memoryMembershipSpace,
  memoryMembershipStore,
} from "@parallax/membership/memory";
import { redisMembershipStore } from "@parallax/membership/redis";
import {
  checkRights,
  checkServer,
  createConnections,
  createKeySpace,
  createReachability,
  type KeySpace,
  type Reachability,
  type ReachabilityOptions,
  type RedisConnections,
  type RedisOptions,
  type RedisTlsOptions,
  type ServerFindings,
} from "@parallax/redis";
import type { RecordBackend } from "@parallax/state-store";
import { type MemoryRecordSpace, memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import { redisRecordBackend } from "@parallax/state-store/redis";
import type { Config } from "./config/schema.ts";
import { measureConnections, type RedisRequest } from "./observe/measured-connections.ts";

/** What a node keeps its state in. */
export interface Backends {
  readonly kind: "memory" | "redis";
  readonly lease: LeaseStore;
  readonly membership: MembershipStore;
  readonly log: TopicLog;
  readonly records: RecordBackend;
  /** Replicas that must acknowledge what may not be lost. */
  readonly replicas: number;
  /** The connections, where there are any. */
  readonly redis: RedisConnections | undefined;
  /** Looks at the servers behind {@link Backends.redis}. Undefined where there are none. */
  inspect(): Promise<ServerFindings | undefined>;
  /** Has every request to Redis told to `listener`, which takes the place of the one before. */
  onRedisRequest(listener: (request: RedisRequest) => void): void;
  /** Looks at all that a node works with (M7); undefined where that is in its own process. */
  reachability(options: Omit<ReachabilityOptions, "connections" | "keySpace">): Reachability | undefined;
  /** Notes which cluster uses this Redis. @throws ParallaxError `wrong_cluster` when another one does, `wrong_layout` when a version does that lays out its keys differently. */
  claim(clusterId: string): Promise<void>;
  close(): Promise<void>;
}

/** A lease that is long gives its calls no longer than this, in ms. */
const maxLeaseDeadlineMs = 3000;

/** The topic of membership and leadership changes. */
const clusterTopic = "cluster";

/** State in this process, shared by the nodes that are given the same space. */
export interface MemorySpace {
  readonly lease: MemoryLeaseSpace;
  readonly membership: MemoryMembershipSpace;
  readonly log: MemoryEventLogSpace;
  readonly records: MemoryRecordSpace;
}

/** Makes the state that nodes of one process share. */
export function createMemorySpace(): MemorySpace {
  const log = memoryEventLogSpace();
  const onEvent = (event: { readonly type: string }): void => {
    log.append(clusterTopic, 0, [{ tag: randomId(""), json: JSON.stringify(event) }], systemClock.wall());
  };
  return {
    log,
    lease: memoryLeaseSpace({ onEvent }),
    membership: memoryMembershipSpace({ onEvent }),
    records: memoryRecordSpace({ log }),
  };
}

/** The backends of one node in a space that the nodes of this process share; its state ends with the process. */
export function memoryBackends(space: MemorySpace): Backends {
  return {
    kind: "memory",
    lease: memoryLeaseStore(space.lease),
    membership: memoryMembershipStore(space.membership),
    log: memoryTopicLog(space.log),
    records: memoryRecordBackend(space.records, { keyPrefix: "parallax:" }),
    replicas: 0,
    redis: undefined,
    reachability: () => undefined,
    inspect: async () => undefined,
    onRedisRequest: () => {},
    claim: async () => {},
    close: async () => {},
  };
}

/** The backends of one node on the Redis that the configuration names. Connections are made when they are first needed. */
export function redisBackends(config: Config, logger: Logger, onError: (error: unknown) => void): Backends {
  const { cluster, keyPrefix, durability, partitions } = config.redis;
  const { renewDeadlineMs } = config.highAvailability.leaderElection;
  let observe: (request: RedisRequest) => void = () => {};
  // Of the time in which a renewal must get through, one that hangs leaves enough for another.
  const deadlineMs = { lease: Math.min(maxLeaseDeadlineMs, renewDeadlineMs / 2) };
  const connections = createConnections(whereOf(config), { logger, onError, deadlineMs });
  const redis = measureConnections(connections, systemClock, (request) => observe(request));
  const keySpace = createKeySpace({ prefix: keyPrefix, cluster: cluster !== undefined, partitions });
  const replicas = durability.replicas ?? (redis.mode === "standalone" ? 0 : 1);
  return {
    kind: "redis",
    lease: redisLeaseStore(redis, { keySpace, eventTopic: clusterTopic }),
    membership: redisMembershipStore(redis, { keySpace, eventTopic: clusterTopic }),
    log: redisTopicLog(redis, { keySpace, coordinationTopics: [clusterTopic], onError }),
    records: redisRecordBackend(redis, { keySpace, replicaTimeoutMs: durability.timeout }),
    replicas,
    redis,
    reachability: (options) => createReachability({ connections, keySpace, ...options }),
    async inspect() {
      const [found, rights] = await Promise.all([
        checkServer(redis.data, { keySpace }),
        checkRights(redis.data, { keySpace }),
      ]);
      return { ...found, findings: [...rights, ...found.findings] };
    },
    onRedisRequest(listener) {
      observe = listener;
    },
    claim: (clusterId) => claimKeys(redis.data, keySpace, clusterId),
    close: () => redis.close(),
  };
}

/**
 * How keys and fields are laid out. It is raised only by a change that nodes of before and after can't live with side by side,
 * which docs/compatibility.md promises to be none within one version and the next.
 */
const layout = "2";

/** @throws ParallaxError `wrong_cluster`, `wrong_layout`: nodes of two layouts would misread what the other writes. */
async function claimKeys(
  data: RedisConnections["data"],
  keySpace: KeySpace,
  clusterId: string,
): Promise<void> {
  const [clusterKey, layoutKey] = [keySpace.coordination("ha:cluster"), keySpace.coordination("ha:layout")];
  // What was written before layouts had numbers is the first. The layout is noted before the cluster, so that it is there
  // wherever the cluster is.
  if ((await data.command("GET", [clusterKey])) === null)
    await data.command("SET", [layoutKey, layout, "NX"]);
  await data.command("SET", [clusterKey, clusterId, "NX"]);
  const owner = await data.command("GET", [clusterKey]);
  if (owner !== clusterId) {
    throw new ParallaxError(
      "wrong_cluster",
      `joining cluster ${clusterId}: this Redis is used by cluster ${String(owner)}; give each cluster its own redis.keyPrefix`,
    );
  }
  const found = String((await data.command("GET", [layoutKey])) ?? "1");
  if (found === layout) return;
  throw new ParallaxError(
    "wrong_layout",
    `starting on ${keySpace.prefix}* in this Redis: layout ${found} is there, and this version writes ${layout}; give it another redis.keyPrefix, or end all nodes and empty this one`,
  );
}

/** Where Redis is, with whose name and which certificates. */
function whereOf({ redis: { url, sentinel, cluster, username, password, tls } }: Config): RedisOptions {
  return { url, sentinel, cluster, username, password, tls: tls?.enabled ? tlsOf(tls) : undefined };
}

function tlsOf({
  caFile,
  certFile,
  keyFile,
  servername,
}: NonNullable<Config["redis"]["tls"]>): RedisTlsOptions {
  const read = (file: string): string => readFileSync(file, "utf8");
  return {
    ...(caFile === undefined ? {} : { ca: read(caFile) }),
    ...(certFile === undefined ? {} : { cert: read(certFile) }),
    ...(keyFile === undefined ? {} : { key: read(keyFile) }),
    ...(servername === undefined ? {} : { servername }),
  };
}

/** Whether the configuration names a Redis. */
export function usesRedis({ redis }: Config): boolean {
  return redis.url !== undefined || redis.sentinel !== undefined || redis.cluster !== undefined;
}
