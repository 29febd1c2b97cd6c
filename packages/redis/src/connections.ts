import {
  type Clock,
  type Logger,
  noopLogger,
  ParallaxError,
  type Random,
  safeOnError,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { Cluster, Redis } from "ioredis";
import { type ClientSource, clientsAt, clientsLike, type RedisOptions } from "./clients.ts";
import type { RedisConnection, RedisConnections, RedisRole } from "./connection.ts";
import { createRoleConnection } from "./role-connection.ts";
import { defaultDeadlineMs } from "./role-options.ts";

/** What connections take besides where Redis is. */
export interface ConnectionsOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Receives every error of a connection, most of which pass by themselves. */
  readonly onError?: (error: unknown) => void;
  /**
   * How long a call of a role may take, retries included, and how long its socket may be silent while an answer is due, in
   * milliseconds. Default 3000 for `lease` and `subscriber`, 5000 for `data`. For `lease` at most half of the renew deadline.
   */
  readonly deadlineMs?: Partial<Readonly<Record<RedisRole, number>>>;
}

/** What a Redis backend can be made from: a client of ioredis, which is duplicated and never used itself, or connections. */
export type RedisSource = Redis | Cluster | RedisConnections;

/**
 * Connects to Redis; each role's connection is made when it is first asked for.
 * @throws ParallaxError `invalid_options` when it is not said where Redis is.
 */
export function createConnections(where: RedisOptions, options: ConnectionsOptions = {}): RedisConnections {
  return connectionsOf(clientsAt(where), where.connectionName, options);
}

/**
 * The connections of a source. Those of an ioredis client are its duplicates, and closing them leaves the client alone;
 * connections that exist already stay open when what is returned here is closed.
 *
 * @throws ParallaxError `invalid_options` for what is neither.
 */
export function openConnections(source: RedisSource, options: ConnectionsOptions = {}): RedisConnections {
  checkSource(source);
  return "lease" in source ? borrowed(source) : connectionsOf(clientsLike(source), undefined, options);
}

function checkSource(source: unknown): void {
  if (typeof source === "object" && source !== null && ("lease" in source || "duplicate" in source)) return;
  const message =
    "connecting to Redis: pass a client of ioredis, as new Redis(url) makes it, or the connections of createConnections";
  throw new ParallaxError("invalid_options", message);
}

function connectionsOf(
  { mode, clientsOf }: ClientSource,
  connectionName = "parallax",
  options: ConnectionsOptions,
): RedisConnections {
  const { clock = systemClock, random = systemRandom, logger = noopLogger } = options;
  const onError = safeOnError(options.onError ?? (() => {}), logger);
  const opened = new Map<RedisRole, RedisConnection>();
  let isClosed = false;

  function open(role: RedisRole): RedisConnection {
    if (isClosed)
      throw new ParallaxError(
        "redis_closed",
        `opening the ${role} connection: they were closed; create new ones`,
      );
    const deadlineMs = options.deadlineMs?.[role] ?? defaultDeadlineMs[role];
    const settings = { role, deadlineMs, connectionName: `${connectionName}:${role}`, random };
    const createClient = clientsOf(settings);
    return createRoleConnection({ mode, role, createClient, deadlineMs, clock, random, logger, onError });
  }

  function connectionOf(role: RedisRole): RedisConnection {
    const connection = opened.get(role) ?? open(role);
    opened.set(role, connection);
    return connection;
  }

  const connections: RedisConnections = {
    mode,
    get lease() {
      return connectionOf("lease");
    },
    get data() {
      return connectionOf("data");
    },
    get subscriber() {
      return connectionOf("subscriber");
    },
    async close() {
      isClosed = true;
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
