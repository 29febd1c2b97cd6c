import {
  type Clock,
  type Logger,
  noopLogger,
  ParallaxError,
  type Random,
  systemClock,
  systemRandom,
} from "@parallax/core";
import { Cluster, type RedisOptions as IoredisOptions, Redis } from "ioredis";
import type { RedisConnection, RedisConnections, RedisMode, RedisRole } from "./connection.ts";
import { createRoleConnection } from "./role-connection.ts";
import { reconnectDelayMs, roleOptions } from "./role-options.ts";

/** Where Redis is: one of `url`, `sentinel` and `cluster`. */
export interface RedisOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
  readonly url?: string | undefined;
  readonly sentinel?: { readonly master: string; readonly nodes: readonly string[] } | undefined;
  /** Some of the nodes, as `host:port`; the rest is found. */
  readonly cluster?: { readonly nodes: readonly string[] } | undefined;
  /** The ACL user. Default: the one of `url`, else Redis's default user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** For `sentinel` and `cluster`, and to add to `rediss://`. */
  readonly tls?: IoredisOptions["tls"];
}

/** What connections take besides where Redis is. */
export interface ConnectionsOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives every error of a connection, most of which pass by themselves. */
  readonly onError?: (error: unknown) => void;
}

/** What a Redis backend can be made from: a client of ioredis, which is duplicated and never used itself, or connections. */
export type RedisSource = Redis | Cluster | RedisConnections;

/**
 * Connects to Redis; each role's connection is made when it is first asked for.
 * @throws ParallaxError `invalid_options` when it is not said where Redis is.
 */
export function createConnections(where: RedisOptions, options: ConnectionsOptions = {}): RedisConnections {
  const mode: RedisMode = where.cluster ? "cluster" : where.sentinel ? "sentinel" : "standalone";
  return connectionsOf(mode, clientFactory(where), options);
}

/**
 * The connections of a source. Those of an ioredis client are its duplicates, and closing them leaves the client alone;
 * connections that exist already stay open when what is returned here is closed.
 */
export function openConnections(source: RedisSource, options: ConnectionsOptions = {}): RedisConnections {
  if ("lease" in source) return borrowed(source);
  if (source instanceof Cluster || ("isCluster" in source && source.isCluster)) {
    const cluster = source;
    if (!("nodes" in cluster))
      throw new ParallaxError("invalid_options", "opening connections: pass an ioredis client");
    const duplicate = (role: RedisRole): Cluster =>
      cluster.duplicate([], {
        ...clusterOptions,
        redisOptions: { ...cluster.options.redisOptions, ...roleOptions(role) },
      });
    return connectionsOf("cluster", duplicate, options);
  }
  const mode = source.options.sentinels ? "sentinel" : "standalone";
  return connectionsOf(mode, (role) => source.duplicate(roleOptions(role)), options);
}

/** What every Cluster client of ours has set. */
const clusterOptions = {
  enableOfflineQueue: false,
  clusterRetryStrategy: reconnectDelayMs,
  slotsRefreshTimeout: 2000,
};

function clientFactory(where: RedisOptions): (role: RedisRole) => Redis | Cluster {
  const { url, sentinel, cluster, username, password, tls } = where;
  const access: IoredisOptions = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
  if (cluster) {
    return (role) =>
      new Cluster(cluster.nodes.map(hostAndPort), {
        ...clusterOptions,
        redisOptions: { ...roleOptions(role), ...access },
      });
  }
  if (sentinel) {
    const sentinels = sentinel.nodes.map(hostAndPort);
    return (role) => new Redis({ ...roleOptions(role), ...access, sentinels, name: sentinel.master });
  }
  if (url === undefined)
    throw new ParallaxError(
      "invalid_options",
      "connecting to Redis: say where it is, such as redis://localhost:6379",
    );
  return (role) => new Redis(url, { ...roleOptions(role), ...access });
}

function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  if (colon > 0 && Number.isInteger(port) && port > 0)
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port };
  throw new ParallaxError("invalid_options", `connecting to Redis: write ${text} as host:port`);
}

function connectionsOf(
  mode: RedisMode,
  createClient: (role: RedisRole) => Redis | Cluster,
  options: ConnectionsOptions,
): RedisConnections {
  const { clock = systemClock, random = systemRandom, logger = noopLogger, onError = () => {} } = options;
  const opened = new Map<RedisRole, RedisConnection>();

  function roleOf(role: RedisRole): RedisConnection {
    const existing = opened.get(role);
    if (existing) return existing;
    const made = createRoleConnection({
      mode,
      role,
      createClient: () => createClient(role),
      clock,
      random,
      logger,
      onError,
    });
    opened.set(role, made);
    return made;
  }

  const connections: RedisConnections = {
    mode,
    get lease() {
      return roleOf("lease");
    },
    get data() {
      return roleOf("data");
    },
    get subscriber() {
      return roleOf("subscriber");
    },
    async close() {
      await Promise.all([...opened.values()].map((connection) => connection.close()));
    },
    [Symbol.asyncDispose]: () => connections.close(),
  };
  return connections;
}

function borrowed(source: RedisConnections): RedisConnections {
  return {
    mode: source.mode,
    get lease() {
      return source.lease;
    },
    get data() {
      return source.data;
    },
    get subscriber() {
      return source.subscriber;
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
