import { hostname } from "node:os";
import {
  type Clock,
  type Duration,
  errorMessage,
  type Logger,
  noopLogger,
  ParallaxError,
  parseDuration,
  type Random,
  systemClock,
  systemRandom,
} from "@parallax/core";
import { agentLimits, capabilitySchema } from "@parallax/protocol";
import type { ReconnectPolicy } from "./reconnect.ts";
import type { Transport } from "./transport.ts";
import { agentUrls } from "./urls.ts";
import { webSocketTransport } from "./websocket.ts";

/** Options of a `ParallaxAgent`. */
export interface ParallaxAgentOptions {
  /** Where the control plane is, `http://host:8080` or `https://host`: a load balancer, a node, or several of them. */
  readonly controlPlaneUrl: string | readonly string[];
  readonly reconnect?: {
    /** Default true. */
    readonly enabled?: boolean;
    /** Failures in a row after which an agent that owes nothing gives up; `Infinity` is allowed. Default 10. */
    readonly maxRetries?: number;
    /** The bounds of the waits between attempts; each wait is drawn from 0 to its bound. */
    readonly backoff?: {
      /** The first bound: milliseconds, or `1s`. Default 1000. */
      readonly initial?: Duration;
      /** The largest bound: milliseconds, or `30s`. Default 30 000. */
      readonly max?: Duration;
      /** How the bound grows from one failure to the next. Default 2. */
      readonly multiplier?: number;
    };
  };
  /** Shown to people; need not be unique. Default: the host name. */
  readonly name?: string;
  /** What it can do, besides the capabilities that have a handler: `gpu`, `region:eu`. Default: nothing more. */
  readonly capabilities?: readonly string[];
  /** How many handlers run at once, 1 to 1000. Default 1. */
  readonly maxConcurrentTasks?: number;
  /** A token of role `agent`, or a function that is asked for one before each connection. Default: none. */
  readonly token?: string | (() => string | Promise<string>);
  /** JSON-compatible facts, at most 16 KiB of them, shown by `GET /api/agents`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The longest frame that the agent takes, in bytes. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: WebSocket. */
  readonly transport?: Transport;
}

/** The same with every default, checked. */
export interface AgentSettings {
  readonly urls: readonly string[];
  readonly reconnect: ReconnectPolicy;
  readonly name: string;
  readonly capabilities: readonly string[];
  readonly maxConcurrentTasks: number;
  readonly token: () => Promise<string | undefined>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly maxPayloadBytes: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
}

/** @throws ParallaxError `invalid_url` or `invalid_options` */
export function readOptions(options: ParallaxAgentOptions): AgentSettings {
  const { maxConcurrentTasks = 1, maxPayloadBytes = agentLimits.maxPayloadBytes, token } = options;
  const isSlots = Number.isInteger(maxConcurrentTasks) && maxConcurrentTasks >= 1;
  if (!isSlots || maxConcurrentTasks > agentLimits.maxConcurrentTasks) {
    throw invalidOption(
      "maxConcurrentTasks",
      `write a whole number from 1 to ${agentLimits.maxConcurrentTasks}`,
    );
  }
  return {
    urls: agentUrls(options.controlPlaneUrl),
    reconnect: readReconnect(options.reconnect),
    name: (options.name ?? hostname()).replaceAll(/\p{Cc}/gu, " ").slice(0, 128) || "agent",
    capabilities: readCapabilities(options.capabilities ?? []),
    maxConcurrentTasks,
    token: async () => (typeof token === "function" ? token() : token),
    metadata: readMetadata(options.metadata ?? {}),
    maxPayloadBytes,
    logger: options.logger ?? noopLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    transport: options.transport ?? webSocketTransport,
  };
}

function readCapabilities(names: readonly string[]): readonly string[] {
  const wrong = names.find((name) => !capabilitySchema.safeParse(name).success);
  if (wrong === undefined) return names;
  throw invalidOption(
    "capabilities",
    `${JSON.stringify(wrong)}: write letters, digits and . _ : / -, at most 64`,
  );
}

function readMetadata(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = JSON.stringify(metadata);
  } catch (error) {
    throw invalidOption("metadata", `give plain values only (${errorMessage(error)})`, error);
  }
  const { maxMetadataBytes } = agentLimits;
  if (Buffer.byteLength(text) <= maxMetadataBytes) return metadata;
  throw invalidOption("metadata", `give at most ${maxMetadataBytes} bytes of JSON`);
}

function readReconnect(options: ParallaxAgentOptions["reconnect"] = {}): ReconnectPolicy {
  const { enabled = true, maxRetries = 10, backoff = {} } = options;
  if (!(maxRetries >= 0)) throw invalidOption("reconnect.maxRetries", "write 0, a whole number, or Infinity");
  const { multiplier = 2 } = backoff;
  if (!(multiplier >= 1)) throw invalidOption("reconnect.backoff.multiplier", "write 1 or more");
  const initialMs = readDuration("reconnect.backoff.initial", backoff.initial ?? 1_000);
  const maxMs = readDuration("reconnect.backoff.max", backoff.max ?? 30_000);
  return { enabled, maxRetries, backoff: { initialMs, maxMs, multiplier } };
}

function readDuration(path: string, value: Duration): number {
  try {
    return parseDuration(value);
  } catch (error) {
    throw invalidOption(path, errorMessage(error), error);
  }
}

function invalidOption(path: string, remedy: string, cause?: unknown): ParallaxError<"invalid_options"> {
  return new ParallaxError("invalid_options", `reading the agent's option ${path}: ${remedy}`, {
    cause,
    details: { path },
  });
}
