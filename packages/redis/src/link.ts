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
import type { ConnectionState, RedisRole } from "./connection.ts";
import type { Client } from "./request.ts";

/** What a link is made from. */
export interface LinkOptions {
  readonly role: RedisRole;
  /** Makes a client; called again whenever one has ended. */
  readonly createClient: () => Client | Promise<Client>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
  /** A client can be used; called before the state changes. */
  readonly onReady: (client: Client) => void;
  /** What is under way can't be answered any more. */
  readonly onBreak: (reason: string) => void;
  readonly onMessage: (channel: string, payload: string) => void;
}

/** How a wait for a connection ends early. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly refusalEnds?: boolean;
}

/** A connection that lasts, over clients of ioredis that come and go. */
export interface Link {
  readonly state: ConnectionState;
  /** The client, while it can be used. */
  readonly client: Client | undefined;
  /**
   * Resolves with the client once it can be used.
   *
   * @throws ParallaxError `redis_unavailable`, `redis_closed`, `aborted`; where `refusalEnds`, `redis_auth` as soon as Redis
   * refuses the user or the password
   */
  whenReady(what: string, timeoutMs: number, options?: WaitOptions): Promise<Client>;
  /** Drops the client and makes a new one: at once, and later and later as long as no client proves to be of use. */
  rebuild(reason: string): void;
  /** The client has proved to be of use. */
  proven(): void;
  subscribe(listener: (state: ConnectionState) => void): Unsubscribe;
  /** Ends it for good; resolves once the socket is closed. */
  close(): Promise<void>;
}

/** How long closing waits for the server, in milliseconds. */
const closeTimeoutMs = 1000;

export function createLink(options: LinkOptions): Link {
  const { role, createClient, clock, random, logger, onError, onReady, onBreak, onMessage } = options;
  const listeners = createListeners<ConnectionState>(onError);
  const refusals = createListeners<ParallaxError>(onError);
  const backoff = createBackoff({ initialMs: 25, maxMs: 1000, random });
  let state: ConnectionState = "connecting";
  let client: Client | undefined;
  let lastError: unknown;
  /** Counts clients: what an old one still says is not heard. */
  let generation = 0;
  let cancelOpening = (): void => {};

  function setState(next: ConnectionState): void {
    if (state === next || state === "closed") return;
    state = next;
    if (next === "ready") logger.debug("redis connection is ready", { role });
    if (next === "down") logger.warn("redis connection is down", { role });
    listeners.emit(next);
  }

  function report(error: unknown): void {
    lastError = error;
    logger.debug("redis connection error", { role, error: errorMessage(error) });
    const message = `connecting to Redis for ${role}: ${errorMessage(error)}; it is tried again`;
    onError(new ParallaxError("redis_connection", message, { cause: error }));
    const refused = refusalOf(error);
    if (refused !== undefined) refusals.emit(refusedError(refused, error));
  }

  async function open(): Promise<void> {
    generation += 1;
    const mine = generation;
    try {
      const opened = await createClient();
      if (mine === generation) attach(opened, mine);
      else disconnect(opened);
    } catch (error) {
      if (mine !== generation) return;
      report(error);
      rebuild("no client could be made");
    }
  }

  function attach(opened: Client, mine: number): void {
    client = opened;
    const on = (event: string, act: (...args: string[]) => void): void => {
      opened.on(event, (...args: string[]) => {
        if (mine === generation) act(...args);
      });
    };
    opened.on("error", (error: unknown) => {
      if (mine === generation) report(error);
    });
    on("ready", () => {
      lastError = undefined;
      onReady(opened);
      setState("ready");
    });
    on("close", () => {
      setState("down");
      onBreak("the connection was lost");
    });
    on("end", () => rebuild("the client ended"));
    on("message", (channel = "", payload = "") => onMessage(channel, payload));
  }

  function drop(reason: string): Client | undefined {
    generation += 1;
    cancelOpening();
    const dropped = client;
    client = undefined;
    onBreak(reason);
    return dropped;
  }

  function rebuild(reason: string): void {
    if (state === "closed") return;
    logger.warn("making a new redis client", { role, reason });
    setState("down");
    const dropped = drop(reason);
    if (dropped) disconnect(dropped);
    const isFirst = backoff.attempts === 0;
    const waitMs = backoff.next();
    cancelOpening = clock.after(isFirst ? 0 : waitMs, () => void open());
  }

  function unavailable(what: string): ParallaxError<"redis_unavailable"> {
    const why = lastError === undefined ? "" : ` (${errorMessage(lastError)})`;
    const message = `${what}: there is no connection to Redis${why}; nothing was sent, check that it runs and can be reached`;
    return new ParallaxError("redis_unavailable", message, { cause: lastError });
  }

  function whenReady(what: string, timeoutMs: number, options: WaitOptions = {}): Promise<Client> {
    const { signal, refusalEnds = false } = options;
    if (state === "ready" && client) return Promise.resolve(client);
    if (state === "closed") return Promise.reject(closedError(what));
    return new Promise((resolve, reject) => {
      let forget: Unsubscribe = () => {};
      const finish = (settle: () => void): void => {
        cancel();
        forget();
        unsubscribe();
        ignore();
        settle();
      };
      const ignore = refusalEnds
        ? refusals.subscribe((error) => finish(() => reject(error)))
        : (): void => {};
      const unsubscribe = listeners.subscribe((next) => {
        if (next === "ready" && client) finishWith(client);
        if (next === "closed") finish(() => reject(closedError(what)));
      });
      const finishWith = (ready: Client): void => finish(() => resolve(ready));
      const cancel = clock.after(Math.max(0, timeoutMs), () => finish(() => reject(unavailable(what))));
      forget = onAbort(signal, () => {
        const message = `${what}: the wait was aborted by its signal`;
        finish(() => reject(new ParallaxError("aborted", message, { cause: signal?.reason })));
      });
    });
  }

  void open();
  return {
    get state() {
      return state;
    },
    get client() {
      return state === "ready" ? client : undefined;
    },
    whenReady,
    rebuild,
    proven: () => backoff.reset(),
    subscribe: (listener) => listeners.subscribe(listener),
    async close() {
      if (state === "closed") return;
      setState("closed");
      const dropped = drop("the connection was closed");
      if (dropped) await ended(dropped, clock);
    },
  };
}

function disconnect(client: Client): void {
  // Its last words are of no interest, but an error that nobody listens to would end the process.
  client.on("error", () => {});
  client.disconnect();
}

/** Disconnects, and resolves once the socket is closed, or can't be expected to be closed soon. */
function ended(client: Client, clock: Clock): Promise<void> {
  const hasSocket = ["connecting", "connect", "ready"].includes(client.status);
  const gone = new Promise<void>((resolve) => {
    const cancel = clock.after(closeTimeoutMs, resolve);
    client.once("end", () => {
      cancel();
      resolve();
    });
    if (!hasSocket) {
      cancel();
      resolve();
    }
  });
  disconnect(client);
  return gone;
}

/** What Redis says to a user or a password that it does not take; of a Cluster or a Sentinel it stands in another error. */
function refusalOf(error: unknown): string | undefined {
  const [said] = /\b(WRONGPASS|NOAUTH|NOPERM)\b.*/.exec(errorMessage(error)) ?? [];
  if (said !== undefined || !(error instanceof Error)) return said;
  const inner: unknown = "lastNodeError" in error ? error.lastNodeError : error.cause;
  return inner === undefined ? undefined : refusalOf(inner);
}

function refusedError(said: string, cause: unknown): ParallaxError<"redis_auth"> {
  const message = `connecting to Redis: it refuses the user or the password (${said}); correct them`;
  return new ParallaxError("redis_auth", message, { cause });
}

function closedError(what: string): ParallaxError<"redis_closed"> {
  return new ParallaxError("redis_closed", `${what}: this connection was closed; open a new one`);
}
