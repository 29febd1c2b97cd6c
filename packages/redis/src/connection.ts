import type { Listener, Unsubscribe } from "@parallax/core";
import type { Script } from "./script.ts";

/** How Redis is deployed. */
export type RedisMode = "standalone" | "sentinel" | "cluster";

/**
 * What a connection is for. The roles never share a client:
 * - `lease`: beats and renewals. No offline queue, no automatic re-send, a deadline below the lease's.
 * - `data`: scripts of records and logs, pipelined.
 * - `subscriber`: channels only.
 */
export type RedisRole = "lease" | "data" | "subscriber";

/** One reply of Redis as ioredis gives it: strings, integers, null and arrays of these. */
export type RedisReply = string | number | null | readonly RedisReply[];

/** `down` from the loss of the socket until commands can be sent again; `closed` for ever. */
export type ConnectionState = "connecting" | "ready" | "down" | "closed";

/** How one call is bounded and made durable. */
export interface CallOptions {
  /**
   * Milliseconds until the caller gets `timeout`, retries included. Default: the connection's.
   * A call that timed out may still take effect later; only its caller knows whether repeating it is harmless (S2).
   */
  readonly deadlineMs?: number;
  /**
   * `WAIT` for this many replicas after the script, on the same connection. The result says how many answered.
   * Default 0: no wait.
   */
  readonly replicas?: number;
  /** Bound of that `WAIT` in milliseconds. Default 1000. */
  readonly replicaTimeoutMs?: number;
}

/** What a script call answered. */
export interface ScriptResult {
  readonly reply: RedisReply;
  /** How many replicas acknowledged; 0 when none were asked for. */
  readonly replicas: number;
}

/** A message of a channel. */
export interface ChannelMessage {
  readonly channel: string;
  readonly payload: string;
}

/**
 * A connection in one role. It owns what ioredis leaves open: a deadline around every command, retries of what is safe to
 * retry (`READONLY`, `MOVED`, `ASK`, `TRYAGAIN`, `CLUSTERDOWN`, `NOSCRIPT`, `LOADING`, none of which ran the script) with
 * full jitter inside that deadline, and a new client when the old one has ended.
 *
 * Errors: `timeout` (outcome unknown), `redis_unavailable` (not sent), `redis_closed`, `redis_reply` (Redis refused; `details.reply`).
 */
export interface RedisConnection {
  readonly mode: RedisMode;
  readonly role: RedisRole;
  readonly state: ConnectionState;
  /** Milliseconds of the last acknowledged round trip, or undefined before the first. */
  readonly roundTripMs: number | undefined;
  /**
   * Resolves once commands can be sent. A user or password that Redis refuses ends the wait at once; the connection goes on
   * trying, for a password may be on its way to the server.
   *
   * @throws ParallaxError `redis_unavailable`, `redis_auth`, `aborted`, `redis_closed`
   */
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  /** Runs a script (EVALSHA, then EVAL where Redis does not know it). All keys lie in one slot. */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    options?: CallOptions,
  ): Promise<ScriptResult>;
  /** Sends one command that is not a script, such as `PING` or `INFO`. On Cluster it goes to the node of its first key. */
  command(name: string, args: readonly (string | number)[], options?: CallOptions): Promise<RedisReply>;
  /**
   * Listens on channels; only on a `subscriber`. Subscriptions come back by themselves after a reconnect, and each time
   * they do (the first included) `onReady` is called: messages between the loss and that moment are gone, so read the log.
   */
  listen(
    channels: readonly string[],
    onMessage: (message: ChannelMessage) => void,
    onReady: () => void,
  ): Unsubscribe;
  /** Drops the socket and connects anew: the remedy for a subscription that looks open and is dead (E2). */
  recycle(reason: string): void;
  subscribe(listener: Listener<ConnectionState>): Unsubscribe;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The three connections of a node. */
export interface RedisConnections {
  readonly mode: RedisMode;
  readonly lease: RedisConnection;
  readonly data: RedisConnection;
  readonly subscriber: RedisConnection;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
