import {
  type Clock,
  createBackoff,
  createListeners,
  errorMessage,
  type Logger,
  onAbort,
  ParallaxError,
  type Random,
  type Unsubscribe,
} from "@parallax/core";
import type { Cluster, Redis } from "ioredis";
import type {
  CallOptions,
  ChannelMessage,
  ConnectionState,
  RedisConnection,
  RedisMode,
  RedisReply,
  RedisRole,
  ScriptResult,
} from "./connection.ts";
import { classify, failureError } from "./replies.ts";
import { defaultDeadlineMs, reconnectDelayMs } from "./role-options.ts";
import type { Script } from "./script.ts";

type Client = Redis | Cluster;

export interface RoleConnectionOptions {
  readonly mode: RedisMode;
  readonly role: RedisRole;
  /** Makes a client with {@link roleOptions}; called again whenever one has ended. */
  readonly createClient: () => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

/** How often a subscriber asks whether its connection still lives, in ms: nothing else would tell. */
const subscriberPingMs = 5000;

interface Subscription {
  readonly channels: readonly string[];
  readonly onMessage: (message: ChannelMessage) => void;
  readonly onReady: () => void;
}

/** A connection in one role, over ioredis clients that come and go. */
export function createRoleConnection(options: RoleConnectionOptions): RedisConnection {
  const { mode, role, createClient, clock, random, logger, onError } = options;
  const stateListeners = createListeners<ConnectionState>(onError);
  const subscriptions = new Set<Subscription>();
  /** Settles what is under way when the connection breaks: ioredis leaves some of it hanging. */
  const inFlight = new Set<(error: ParallaxError) => void>();
  let state: ConnectionState = "connecting";
  let roundTripMs: number | undefined;
  /** Counts clients: what an old one still says is not heard. */
  let generation = 0;
  let rebuilds = 0;
  let client = open();
  const stopPing = role === "subscriber" ? clock.every(subscriberPingMs, () => void ping()) : () => {};

  function setState(next: ConnectionState): void {
    if (state === next || state === "closed") return;
    state = next;
    stateListeners.emit(next);
  }

  function open(): Client {
    generation += 1;
    const mine = generation;
    const opened = createClient();
    const on = (event: string, act: (...args: string[]) => void): void => {
      opened.on(event, (...args: string[]) => {
        if (generation === mine) act(...args);
      });
    };
    on("ready", () => {
      rebuilds = 0;
      setState("ready");
      if (role === "subscriber") void subscribe(opened, [...subscriptions]);
    });
    on("close", () => {
      setState("down");
      breakInFlight("the connection was lost");
    });
    on("end", () => rebuild("the client ended"));
    on("message", (channel = "", payload = "") => {
      for (const each of subscriptions)
        if (each.channels.includes(channel)) deliver(each, { channel, payload });
    });
    opened.on("error", (error: unknown) => {
      logger.debug("redis connection error", { role, error: errorMessage(error) });
      onError(error);
    });
    return opened;
  }

  function deliver(subscription: Subscription, message: ChannelMessage): void {
    try {
      subscription.onMessage(message);
    } catch (error) {
      onError(error);
    }
  }

  function rebuild(reason: string): void {
    if (state === "closed") return;
    logger.warn("making a new redis client", { role, reason });
    generation += 1;
    rebuilds += 1;
    setState("down");
    breakInFlight(reason);
    client.disconnect();
    clock.after(rebuilds === 1 ? 0 : reconnectDelayMs(rebuilds), () => {
      if (state !== "closed") client = open();
    });
  }

  function breakInFlight(reason: string): void {
    const error = new ParallaxError("timeout", `calling Redis: ${reason}; whether it was done is unknown`);
    for (const settle of [...inFlight]) settle(error);
  }

  /** Waits for one command, no longer than to `deadlineAtMs`, and no longer than its connection lives. */
  function bounded<T>(work: Promise<T>, what: string, deadlineAtMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        cancel();
        inFlight.delete(breaking);
        settle();
      };
      const breaking = (error: ParallaxError): void => finish(() => reject(error));
      const cancel = clock.after(Math.max(0, deadlineAtMs - clock.now()), () => {
        const message = `${what}: Redis did not answer in time; whether it was done is unknown`;
        breaking(new ParallaxError("timeout", message));
      });
      inFlight.add(breaking);
      work.then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(error)),
      );
    });
  }

  /** Repeats what Redis refuses for a passing reason, until it does it or the time is up. */
  async function repeat<T>(
    what: string,
    deadlineMs: number,
    attempt: (deadlineAtMs: number) => Promise<T>,
  ): Promise<T> {
    const deadlineAtMs = clock.now() + deadlineMs;
    const backoff = createBackoff({ initialMs: 20, maxMs: 500, random });
    for (;;) {
      await untilReady(what, deadlineAtMs);
      const startedMs = clock.now();
      try {
        const result = await attempt(deadlineAtMs);
        roundTripMs = clock.now() - startedMs;
        return result;
      } catch (error) {
        if (error instanceof ParallaxError) throw error;
        const failure = classify(error);
        const waitMs = backoff.next();
        const again = (failure === "retry" || failure === "not-sent") && clock.now() + waitMs < deadlineAtMs;
        if (!again) throw failureError(what, failure, error);
        await clock.sleep(waitMs);
      }
    }
  }

  async function untilReady(what: string, deadlineAtMs: number): Promise<void> {
    if (state === "ready") return;
    await waitForReady(deadlineAtMs - clock.now(), what, undefined);
  }

  function waitForReady(timeoutMs: number, what: string, signal: AbortSignal | undefined): Promise<void> {
    if (state === "ready") return Promise.resolve();
    if (state === "closed") return Promise.reject(closedError(what));
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        cancel();
        forget();
        unsubscribe();
        settle();
      };
      const unsubscribe = stateListeners.subscribe((next) => {
        if (next === "ready") finish(resolve);
        if (next === "closed") finish(() => reject(closedError(what)));
      });
      const cancel = clock.after(Math.max(0, timeoutMs), () => {
        const message = `${what}: there is no connection to Redis; nothing was sent, check that it runs and can be reached`;
        finish(() => reject(new ParallaxError("redis_unavailable", message)));
      });
      let forget: Unsubscribe = () => {};
      forget = onAbort(signal, () =>
        finish(() => reject(new ParallaxError("aborted", `${what} was aborted`))),
      );
    });
  }

  async function evaluate(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await client.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (classify(error) !== "unknown-script") throw error;
      return client.eval(script.lua, keys.length, ...keys, ...args);
    }
  }

  async function subscribe(current: Client, wanted: readonly Subscription[]): Promise<void> {
    const channels = new Set(wanted.flatMap((subscription) => subscription.channels));
    if (channels.size === 0) return;
    try {
      await bounded(
        current.subscribe(...channels),
        "subscribing to channels",
        clock.now() + defaultDeadlineMs.subscriber,
      );
      for (const subscription of wanted) if (subscriptions.has(subscription)) subscription.onReady();
    } catch (error) {
      if (current === client && state === "ready") rebuild(`subscribing failed: ${errorMessage(error)}`);
    }
  }

  async function ping(): Promise<void> {
    if (state !== "ready" || subscriptions.size === 0) return;
    const startedMs = clock.now();
    try {
      await bounded(client.ping(), "pinging Redis", startedMs + defaultDeadlineMs.subscriber);
      roundTripMs = clock.now() - startedMs;
    } catch (error) {
      if (state === "ready") rebuild(`no answer to a ping: ${errorMessage(error)}`);
    }
  }

  const connection: RedisConnection = {
    mode,
    role,
    get state() {
      return state;
    },
    get roundTripMs() {
      return roundTripMs;
    },
    ready: ({ timeoutMs = 10_000, signal } = {}) => waitForReady(timeoutMs, "connecting to Redis", signal),
    async run(script, keys, args, call = {}) {
      const what = `running ${script.name}`;
      return repeat(
        what,
        call.deadlineMs ?? defaultDeadlineMs[role],
        async (deadlineAtMs): Promise<ScriptResult> => {
          const reply = evaluate(script, keys, args);
          const replicas = waitForReplicas(client, call);
          const both = Promise.all([reply, replicas]).then(([value, count]) => ({
            reply: asReply(value),
            replicas: count,
          }));
          return bounded(both, what, deadlineAtMs);
        },
      );
    },
    command(name, args, call = {}) {
      const what = `sending ${name.toUpperCase()}`;
      return repeat(what, call.deadlineMs ?? defaultDeadlineMs[role], async (deadlineAtMs) =>
        asReply(await bounded(client.call(name, ...args), what, deadlineAtMs)),
      );
    },
    listen(channels, onMessage, onReady) {
      if (role !== "subscriber")
        throw new ParallaxError("wrong_role", `listening on a ${role} connection: use the subscriber's`);
      const subscription = { channels, onMessage, onReady };
      subscriptions.add(subscription);
      if (state === "ready") void subscribe(client, [subscription]);
      return () => {
        subscriptions.delete(subscription);
        const rest = new Set([...subscriptions].flatMap((other) => other.channels));
        const unwanted = channels.filter((channel) => !rest.has(channel));
        if (unwanted.length > 0 && state === "ready") client.unsubscribe(...unwanted).catch(onError);
      };
    },
    recycle: rebuild,
    subscribe: (listener) => stateListeners.subscribe(listener),
    async close() {
      if (state === "closed") return;
      stopPing();
      setState("closed");
      breakInFlight("the connection was closed");
      client.disconnect();
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };

  return connection;
}

async function waitForReplicas(
  client: Client,
  { replicas = 0, replicaTimeoutMs = 1000 }: CallOptions,
): Promise<number> {
  if (replicas === 0) return 0;
  return Number(await client.call("WAIT", replicas, replicaTimeoutMs));
}

function closedError(what: string): ParallaxError<"redis_closed"> {
  return new ParallaxError("redis_closed", `${what}: this connection was closed; open a new one`);
}

/** What Lua and Redis give back, checked rather than assumed. */
function asReply(value: unknown): RedisReply {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (Array.isArray(value)) return value.map(asReply);
  if (value === undefined) return null;
  return String(value);
}
