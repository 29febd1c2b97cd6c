import { type Clock, isParallaxError } from "@parallax/core";
import type { Metrics } from "@parallax/metrics";
import type { RedisConnection, RedisConnections } from "@parallax/redis";

/** One request to Redis, as metrics show it. */
export type RedisRequest = Parameters<Metrics["observeRedis"]>[0];

/** The same connections, which tell of every request how long it took and what it came to. */
export function measureConnections(
  connections: RedisConnections,
  clock: Clock,
  observe: (request: RedisRequest) => void,
): RedisConnections {
  const measured = new Map<RedisConnection, RedisConnection>();
  const measuredOf = (connection: RedisConnection): RedisConnection => {
    const known = measured.get(connection) ?? measure(connection, clock, observe);
    measured.set(connection, known);
    return known;
  };
  return {
    mode: connections.mode,
    get lease() {
      return measuredOf(connections.lease);
    },
    get data() {
      return measuredOf(connections.data);
    },
    get subscriber() {
      return measuredOf(connections.subscriber);
    },
    close: () => connections.close(),
    [Symbol.asyncDispose]: () => connections.close(),
  };
}

function measure(
  connection: RedisConnection,
  clock: Clock,
  observe: (request: RedisRequest) => void,
): RedisConnection {
  const { mode, role } = connection;
  const timed = timer(clock, (outcome, seconds) => observe({ role, outcome, seconds }));
  return {
    mode,
    role,
    get state() {
      return connection.state;
    },
    get roundTripMs() {
      return connection.roundTripMs;
    },
    ready: (options) => connection.ready(options),
    run: (...call) => timed(() => connection.run(...call)),
    command: (...call) => timed(() => connection.command(...call)),
    listen: (...call) => connection.listen(...call),
    recycle: (reason) => connection.recycle(reason),
    subscribe: (listener) => connection.subscribe(listener),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Times what it is given; `outcome` is `ok` or the code of the error. */
export function timer(
  clock: Clock,
  observe: (outcome: string, seconds: number) => void,
): <T>(act: () => Promise<T>) => Promise<T> {
  return async (act) => {
    const startedMs = clock.now();
    let outcome = "ok";
    try {
      return await act();
    } catch (error) {
      outcome = isParallaxError(error) ? error.code : "error";
      throw error;
    } finally {
      observe(outcome, (clock.now() - startedMs) / 1000);
    }
  };
}
