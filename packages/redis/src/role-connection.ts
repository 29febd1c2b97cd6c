import { type Clock, errorMessage, type Logger, ParallaxError, type Random } from "@parallax/core";
import { type Answer, type Attempt, createCalls, Refusal } from "./calls.ts";
import type { CallOptions, RedisConnection, RedisMode, RedisRole } from "./connection.ts";
import { createLink, type Link } from "./link.ts";
import { createReplicaWaits } from "./replica-waits.ts";
import { asReply } from "./replies.ts";
import type { Client } from "./request.ts";
import type { Script } from "./script.ts";
import { createSubscriptions } from "./subscriptions.ts";

export interface RoleConnectionOptions {
  readonly mode: RedisMode;
  readonly role: RedisRole;
  /** Makes a client with `roleOptions`; called again whenever one has ended. */
  readonly createClient: () => Client | Promise<Client>;
  /** The default bound of a call, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

/** How often a subscriber asks whether its connection still lives, in ms: nothing else would tell. */
const subscriberPingMs = 5000;
const defaultReplicaTimeoutMs = 1000;

/** A connection in one role. */
export function createRoleConnection(options: RoleConnectionOptions): RedisConnection {
  const { mode, role, createClient, deadlineMs, clock, random, logger, onError } = options;
  const calls = createCalls(() => link, clock, random);
  const replicaWaits = createReplicaWaits();
  const subscriptions = createSubscriptions({
    client: () => link.client,
    bounded: (work, what) => calls.bounded(work, what, clock.now() + deadlineMs),
    onSubscribed: () => link.proven(),
    onRefused(reason, error) {
      onError(error);
      link.rebuild(reason);
    },
    onError,
  });
  const link: Link = createLink({
    role,
    createClient,
    clock,
    random,
    logger,
    onError,
    onReady: (client) => role === "subscriber" && subscriptions.restore(client),
    onBreak: (reason) => calls.abandon(reason),
    onMessage: (channel, payload) => subscriptions.deliver(channel, payload),
  });
  let roundTripMs: number | undefined;
  const stopPing = role === "subscriber" ? clock.every(subscriberPingMs, () => void ping()) : () => {};

  function answered(sinceMs: number): void {
    roundTripMs = clock.now() - sinceMs;
    link.proven();
  }

  async function ping(): Promise<void> {
    const { client } = link;
    if (!client) return;
    const sinceMs = clock.now();
    try {
      await calls.bounded(client.ping(), "pinging Redis", sinceMs + deadlineMs);
      roundTripMs = clock.now() - sinceMs;
    } catch (error) {
      if (client === link.client) link.rebuild(`no answer to a ping: ${errorMessage(error)}`);
    }
  }

  function replicasOf({ node, socket }: Answer, deadlineAtMs: number, call: CallOptions): Promise<number> {
    const { replicas = 0, replicaTimeoutMs = defaultReplicaTimeoutMs } = call;
    if (replicas === 0 || socket === undefined) return Promise.resolve(0);
    const leftMs = deadlineAtMs - clock.now();
    // A silence as long as the socket's time-out would break the connection, and 0 would mean for ever.
    const timeoutMs = Math.max(1, Math.floor(Math.min(replicaTimeoutMs, leftMs, deadlineMs * 0.8)));
    const acknowledged = replicaWaits.acknowledged({ node, socket, replicas, timeoutMs });
    // Others may be waiting already: a turn of theirs, and one of our own.
    const untilMs = clock.now() + Math.min(leftMs, 2 * timeoutMs);
    return calls.bounded(acknowledged, "waiting for replicas", untilMs).catch(() => 0);
  }

  function mustNotSubscribe(what: string): void {
    if (role !== "subscriber") return;
    throw new ParallaxError("wrong_role", `${what} on a subscriber: use the data connection`);
  }

  const connection: RedisConnection = {
    mode,
    role,
    get state() {
      return link.state;
    },
    get roundTripMs() {
      return roundTripMs;
    },
    async ready({ timeoutMs = 10_000, signal } = {}) {
      await link.whenReady("connecting to Redis", timeoutMs, { signal, refusalEnds: true });
    },
    async run(script, keys, args, call = {}) {
      const what = `running ${script.name}`;
      mustNotSubscribe(what);
      return calls.repeat(what, call.deadlineMs ?? deadlineMs, async (attempt) => {
        const sinceMs = clock.now();
        const answer = await evaluate(attempt, script, keys, args);
        answered(sinceMs);
        const replicas = await replicasOf(answer, attempt.deadlineAtMs, call);
        return { reply: asReply(answer.value), replicas };
      });
    },
    async command(name, args, call = {}) {
      const what = `sending ${name.toUpperCase()}`;
      mustNotSubscribe(what);
      return calls.repeat(what, call.deadlineMs ?? deadlineMs, async (attempt) => {
        const sinceMs = clock.now();
        const { value } = await attempt.exchange(name, args);
        answered(sinceMs);
        return asReply(value);
      });
    },
    listen(channels, onMessage, onReady) {
      if (role === "subscriber") return subscriptions.add(channels, onMessage, onReady);
      throw new ParallaxError("wrong_role", `listening on a ${role} connection: use the subscriber's`);
    },
    recycle: (reason) => link.rebuild(reason),
    subscribe: (listener) => link.subscribe(listener),
    async close() {
      stopPing();
      await link.close();
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
  return connection;
}

/** Runs a script by its hash, and by its text on a server that has not seen it. */
async function evaluate(
  attempt: Attempt,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<Answer> {
  // `concat` copies at once; to spread them would be to step through hundreds.
  const call = (script: string): (string | number)[] => [script, keys.length].concat(keys, args);
  try {
    return await attempt.exchange("evalsha", call(script.sha1));
  } catch (error) {
    if (!(error instanceof Refusal) || error.failure !== "unknown-script") throw error;
    return attempt.exchange("eval", call(script.lua));
  }
}
