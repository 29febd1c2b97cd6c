import { ParallaxError } from "@parallax/core";
import { Cluster, type ClusterOptions, type RedisOptions as IoredisOptions, Redis } from "ioredis";
import { parseHostAndPort, parseRedisUrl } from "./address.ts";
import { clusterSubscribers } from "./cluster-subscriber.ts";
import type { RedisMode } from "./connection.ts";
import type { Client } from "./request.ts";
import { type RoleSettings, reconnectDelays, roleOptions } from "./role-options.ts";
import { clearingSocketTimer } from "./socket-timer.ts";

/** How to trust the server, and how to be trusted by it. Certificates and keys are PEM texts. */
export interface RedisTlsOptions {
  /** The authorities that may vouch for the server. Default: those that Node trusts. */
  readonly ca?: string;
  /** The certificate of this client, with its key, where the server asks for one. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must have. Default: the host that is connected to. */
  readonly servername?: string;
  /** `false` trusts anybody who answers: for tests only. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/** Where Redis is: one of `url`, `sentinel` and `cluster`. */
export interface RedisOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
  readonly url?: string | undefined;
  readonly sentinel?: RedisSentinelOptions | undefined;
  /** Some of the nodes, as `host:port`; the rest is found. */
  readonly cluster?: { readonly nodes: readonly string[] } | undefined;
  /** The ACL user. Default: the one of `url`, else Redis's default user. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Turns TLS on, with Sentinel and Cluster too; `{}` trusts what Node trusts. */
  readonly tls?: RedisTlsOptions | undefined;
  /** What `CLIENT LIST` shows before the role: `parallax:lease`. Default `parallax`. */
  readonly connectionName?: string | undefined;
}

/** Where the Sentinels are, and whom to ask for. */
export interface RedisSentinelOptions {
  /** The name of the primary, such as `mymaster`. */
  readonly master: string;
  /** Some of the Sentinels, as `host:port`; the rest is found. */
  readonly nodes: readonly string[];
  /** The ACL user of the Sentinels themselves. Default: none. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Whether the Sentinels speak TLS. Default: whether the servers do. */
  readonly tls?: boolean | undefined;
}

/** Makes clients, as many as it takes. */
export type CreateClient = () => Client | Promise<Client>;

/** Where clients come from. */
export interface ClientSource {
  readonly mode: RedisMode;
  clientsOf(settings: RoleSettings): CreateClient;
}

/** @throws ParallaxError `invalid_options` when it is not said where Redis is, or twice. */
export function clientsAt(where: RedisOptions): ClientSource {
  const { url, sentinel, cluster } = where;
  const access = accessOptions(where);
  if (sentinel && cluster) throw invalid("say sentinel or cluster, not both");
  if (cluster) {
    const nodes = cluster.nodes.map(parseHostAndPort);
    if (nodes.length === 0) throw invalid("name some nodes of the Cluster");
    // Certificates name hosts: what is resolved to an address first would not match them.
    const lookup: ClusterOptions = where.tls ? { dnsLookup: (address, done) => done(null, address) } : {};
    return clusterClients((options) => new Cluster(nodes, { ...lookup, ...options }), access);
  }
  if (sentinel) {
    const options = { ...access, ...sentinelOptions(sentinel, access.tls) };
    return single("sentinel", (settings) => ({ ...roleOptions(settings), ...options }));
  }
  if (url === undefined) throw invalid("say where it is, such as redis://localhost:6379");
  const { isTls, ...address } = parseRedisUrl(url);
  const options = { ...address, ...(isTls ? { tls: {} } : {}), ...access };
  return single("standalone", (settings) => ({ ...roleOptions(settings), ...options }));
}

/** Clients like one that a user has made; it is never used itself. */
export function clientsLike(source: Client): ClientSource {
  if ("nodes" in source) {
    const { redisOptions = {} } = source.options;
    return clusterClients((options) => source.duplicate([], options), redisOptions);
  }
  const { options } = source;
  const mode = options.sentinels ? "sentinel" : "standalone";
  return single(mode, (settings) => ({ ...options, ...roleOptions(settings) }));
}

function single(mode: RedisMode, options: (settings: RoleSettings) => IoredisOptions): ClientSource {
  return { mode, clientsOf: (settings) => () => clearingSocketTimer(new Redis(options(settings))) };
}

function clusterClients(
  createCluster: (options: ClusterOptions) => Cluster,
  access: IoredisOptions,
): ClientSource {
  const create = (settings: RoleSettings, more: ClusterOptions): Cluster =>
    createCluster({
      ...clusterOptions(settings),
      // `warmed` says when.
      redisOptions: { ...access, ...roleOptions(settings), lazyConnect: true },
      ...more,
    });
  return {
    mode: "cluster",
    clientsOf(settings) {
      if (settings.role === "subscriber")
        return clusterSubscribers(settings, (more) => create(settings, more));
      return () => warmed(create(settings, {}));
    },
  };
}

/** What every Cluster client of ours has set. It finds out who has which slot; what is sent to whom is decided in `route.ts`. */
function clusterOptions({ random }: RoleSettings): ClusterOptions {
  return {
    lazyConnect: false,
    enableReadyCheck: true,
    enableOfflineQueue: false,
    keyPrefix: "",
    shardedSubscribers: false,
    clusterRetryStrategy: reconnectDelays(random),
    clusterNodeRetryStrategy: () => null,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: 30_000,
  };
}

/**
 * Connects to each node as soon as it is known. ioredis would wait for the first command; and a replica whose connection is
 * open takes over without delay. But the check that makes a Cluster ready refuses a node that is on its way, and then the
 * whole Cluster is given up: where all nodes that were named are replicas by now, for ever. So until then they wait.
 */
function warmed(cluster: Cluster): Cluster {
  const connect = (node: Redis): void => {
    if (cluster.status === "ready" && node.status === "wait") node.connect().catch(() => {});
  };
  cluster.on("+node", (node: Redis) => connect(clearingSocketTimer(node)));
  cluster.on("ready", () => {
    for (const node of cluster.nodes("all")) connect(node);
  });
  return cluster;
}

function accessOptions({ username, password, tls }: RedisOptions): IoredisOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ...tls } }),
  };
}

function sentinelOptions(sentinel: RedisSentinelOptions, tls: IoredisOptions["tls"]): IoredisOptions {
  const { master, nodes, username, password } = sentinel;
  const sentinels = nodes.map(parseHostAndPort);
  if (sentinels.length === 0) throw invalid("name some of the Sentinels");
  const sentinelTls = (sentinel.tls ?? tls !== undefined) ? (tls ?? {}) : undefined;
  return {
    name: master,
    sentinels,
    sentinelCommandTimeout: 2000,
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true }),
    ...(sentinelTls === undefined ? {} : { sentinelTLS: sentinelTls }),
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
  };
}

function invalid(remedy: string): ParallaxError<"invalid_options"> {
  return new ParallaxError("invalid_options", `connecting to Redis: ${remedy}`);
}
