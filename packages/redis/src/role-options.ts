import type { RedisOptions } from "ioredis";
import type { RedisRole } from "./connection.ts";

/** Milliseconds that a call of a role may take by default, retries included. */
export const defaultDeadlineMs: Readonly<Record<RedisRole, number>> = {
  lease: 3000,
  data: 5000,
  subscriber: 3000,
};

/**
 * What every client of ours has set, whatever the user's has. ioredis would otherwise queue commands while it is offline,
 * send them again after a reconnect though their caller has given up, and wait minutes for a half-open socket.
 */
export function roleOptions(role: RedisRole): RedisOptions {
  return {
    lazyConnect: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: false,
    connectTimeout: 2000,
    socketTimeout: defaultDeadlineMs[role],
    keepAlive: 5000,
    noDelay: true,
    retryStrategy: reconnectDelayMs,
    sentinelRetryStrategy: reconnectDelayMs,
    // 1: connect anew, so that a demoted primary is left; never 2, which would send the command again.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 1 : false),
    connectionName: `parallax:${role}`,
  };
}

/** Quick at first, for most losses are short; then at most once a second, spread so that nodes do not come in step. */
export function reconnectDelayMs(attempt: number): number {
  const boundMs = Math.min(1000, 25 * 2 ** Math.min(attempt, 10));
  return Math.ceil(boundMs / 2 + Math.random() * (boundMs / 2));
}
