import type { Random } from "@parallax/core";
import type { RedisOptions as IoredisOptions } from "ioredis";
import type { RedisRole } from "./connection.ts";
import { isReadOnlyRefusal } from "./replies.ts";

/** What the clients of one role are made with. */
export interface RoleSettings {
  readonly role: RedisRole;
  /** The default bound of a call, and how long a socket may be silent while an answer is due, in milliseconds. */
  readonly deadlineMs: number;
  /** Shown by `CLIENT LIST`. */
  readonly connectionName: string;
  readonly random: Random;
}

/** Milliseconds that a call of a role may take by default, retries included. */
export const defaultDeadlineMs: Readonly<Record<RedisRole, number>> = {
  lease: 3000,
  data: 5000,
  subscriber: 3000,
};

/** How long an attempt to connect may take, in milliseconds. */
const connectTimeoutMs = 2000;

/**
 * What every client of ours has set, whatever the user's has. ioredis would otherwise queue commands while it is offline,
 * send them again after a reconnect though their caller has given up, and wait minutes for a half-open socket.
 * `failoverDetector` stays off, for it can end a client for good.
 */
export function roleOptions({ deadlineMs, connectionName, random }: RoleSettings): IoredisOptions {
  const retryStrategy = reconnectDelays(random);
  return {
    lazyConnect: false,
    enableReadyCheck: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: false,
    failoverDetector: false,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: 200,
    socketTimeout: deadlineMs,
    keepAlive: 5000,
    noDelay: true,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    // 1: connect anew, so that a demoted primary is left; never 2, which would send the command again.
    reconnectOnError: (error) => (isReadOnlyRefusal(error.message) ? 1 : false),
    connectionName,
    // Each call has a deadline of its own, which this would cut short. Set, not left out: a Cluster of ioredis 6 adds what is
    // left out from the client that it duplicates.
    commandTimeout: undefined,
    // The name says who it is; to tell the library too, where Redis is 7.2 or newer, takes a right of its own.
    disableClientInfo: true,
    // What a user's client may have set for itself, and what would change the meaning of our keys and replies.
    keyPrefix: "",
    stringNumbers: false,
    readOnly: false,
    role: "master",
    monitor: false,
  };
}

/** Quick at first, for most losses are short; then about twice a second, spread so that nodes do not come in step. */
export function reconnectDelays(random: Random): (attempt: number) => number {
  return (attempt) => Math.ceil(random.next() * Math.min(1000, 25 * 2 ** Math.min(attempt, 10)));
}
