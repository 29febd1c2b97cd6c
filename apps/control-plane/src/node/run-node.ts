import {
  type Clock,
  formatDuration,
  isParallaxError,
  type Logger,
  ParallaxError,
  type Random,
  randomId,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { ConnectionLimits } from "../agents/doorkeeper.ts";
import { createGateway } from "../agents/gateway.ts";
import type { Backends } from "../backends.ts";
import { addressOf, hostOf, nodeIdOf } from "../config/load.ts";
import { addressOfRedis } from "../config/places.ts";
import type { Config } from "../config/schema.ts";
import { createAuthenticator, type TokenEntry } from "../http/auth.ts";
import { reloadTokens } from "../http/reload-tokens.ts";
import { listen } from "../listen.ts";
import { countSockets } from "../observe/measured-agents.ts";
import { assemble } from "./assemble.ts";
import { close, live } from "./life.ts";
import { createRoutes, operationsOf } from "./routes.ts";

/** What a node is made from. */
export interface NodeOptions {
  readonly config: Config;
  readonly backends: Backends;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Reads the tokens anew from where they came from. Default: they stay as they are. */
  readonly readTokens?: (() => readonly TokenEntry[]) | undefined;
  /** Once it takes traffic. */
  readonly onReady?: (node: { readonly url: string; readonly nodeId: string }) => void;
}

/** How long a node waits for Redis at its start. */
const connectTimeoutMs = 10_000;
/** How long requests that are under way may take at the end. */
const lastRequestsMs = 1000;

/**
 * Runs a node until `signal` aborts (it then drains), until it was drained from outside, or until something ends it:
 * config → connections → stores → packages → services → routes → run group.
 *
 * @throws ParallaxError `redis_unreachable`, `redis_auth`, `wrong_cluster`, `wrong_layout`, `port_in_use`, `invalid_pattern`, `replaced`, …
 */
export async function runNode(options: NodeOptions, signal: AbortSignal): Promise<void> {
  const {
    config,
    backends,
    logger,
    clock = systemClock,
    random = systemRandom,
    readTokens,
    onReady,
  } = options;
  const nodeId = nodeIdOf(config);
  const host = hostOf(config);
  let answer: ((request: Request) => Response | Promise<Response>) | undefined;
  try {
    await connect(backends, config, signal);
    const listening = await listen({
      host,
      port: config.server.port,
      tls: config.server.tls,
      clock,
      logger,
      fetch: (request) => answer?.(request) ?? stillStarting(random),
    });
    try {
      const address = addressOf(config, listening.port);
      const node = await assemble({ config, backends, nodeId, address, clock, random, logger });
      const ha = operationsOf(node);
      const authenticator = createAuthenticator(config.server.auth.tokens);
      const routes = createRoutes(node, ha, authenticator);
      answer = (request) => routes.fetch(request);
      const gateway = createGateway({
        server: listening.server,
        hub: countSockets(node.work.hub, node.metrics),
        authenticator,
        logger,
        maxPayloadBytes: config.agents.maxPayload,
        limits: connectionLimits(config),
        // Without the store no session can be opened (B13): an agent that is told so does not count it as a failure.
        isOpen: () =>
          node.health.snapshot().state !== "starting" &&
          !node.drain.signal.aborted &&
          (backends.redis?.data.state ?? "ready") === "ready",
      });
      const stopReloading = reloadTokens({
        authenticator,
        read: readTokens ?? (() => config.server.auth.tokens),
        onReplaced: () => node.work.hub.revoke(authenticator.knows),
        clock,
        logger,
      });
      try {
        logger.info("started", {
          nodeId,
          address,
          cluster: config.highAvailability.clusterId,
          state: backends.kind,
        });
        await live(node, ha, signal, () => onReady?.({ url: urlOf(config, listening.port), nodeId }));
      } finally {
        stopReloading();
        gateway.close();
        await close(node, logger);
      }
    } finally {
      await listening.close(lastRequestsMs);
    }
  } finally {
    await backends.close();
  }
}

/** Waits for Redis, and makes sure that it is this cluster's. */
async function connect(backends: Backends, config: Config, signal: AbortSignal): Promise<void> {
  const { redis } = backends;
  await redis?.data.ready({ timeoutMs: connectTimeoutMs, signal }).catch((cause: unknown) => {
    if (isParallaxError(cause, "redis_auth")) throw refused(config, cause);
    const wait = formatDuration(connectTimeoutMs);
    const message = `connecting to Redis at ${addressOfRedis(config)}: no connection within ${wait}; check that it runs, and its address`;
    throw new ParallaxError("redis_unreachable", message, { cause });
  });
  await backends.claim(config.highAvailability.clusterId);
}

function connectionLimits({ agents }: Config): ConnectionLimits {
  const { maxConnections: total, maxConnectionsPerAddress, maxConnectionsPerToken } = agents;
  return { total, perAddress: maxConnectionsPerAddress ?? total, perToken: maxConnectionsPerToken ?? total };
}

function refused(config: Config, cause: ParallaxError): ParallaxError<"redis_auth"> {
  const where = addressOfRedis(config);
  const message = `connecting to Redis at ${where}: it refuses the user or the password; correct those in redis.url, or redis.username and redis.password (PARALLAX_REDIS_PASSWORD)`;
  return new ParallaxError("redis_auth", message, { cause });
}

/** Where this machine reaches the node. */
function urlOf(config: Config, port: number): string {
  return `${config.server.tls ? "https" : "http"}://${reachable(hostOf(config))}:${port}`;
}

/** A host that listens everywhere is reached on loopback, too. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function stillStarting(random: Random): Response {
  const requestId = randomId("req_", random);
  const error = {
    code: "not_ready",
    message: "answering the request: this node is still starting; try again in a moment",
  };
  const headers = { "Retry-After": "2", "X-Request-Id": requestId };
  return Response.json({ error, requestId }, { status: 503, headers });
}
