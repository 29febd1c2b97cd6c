import { errorMessage, ParallaxError } from "@parallax/core";
import type { RedisReply } from "./connection.ts";

/**
 * What an error of ioredis means for the caller:
 * - `retry`: Redis refused before doing anything, for a reason that passes: a fail-over, a moving slot, a loading server;
 * - `unknown-script`: EVALSHA of a script that this server has not seen;
 * - `not-sent`: there was no connection to send it on;
 * - `unknown`: it may or may not have run;
 * - `refused`: Redis refused for a reason that stays.
 */
export type Failure = "retry" | "unknown-script" | "not-sent" | "unknown" | "refused";

/**
 * Refusals before anything was done. Those that a script meets at its first write are among them: scripts write nothing
 * before that, and what refuses the first write does not let a later one pass.
 */
const passing = /^(READONLY|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|BUSY|NOREPLICAS)\b/;

/** How Redis 6.2 wraps what a call inside a script was refused with. */
const insideScript = /^ERR Error running script .*?: -/;

/** What ioredis says where a command can't be sent at once. */
const notConnected = /^Stream isn't writeable and enableOfflineQueue options is false$/;

/** Classifies an error by what it says, for ioredis has no codes for these, and by whether its command was written to a socket. */
export function classify(error: unknown, wasSent: boolean): Failure {
  const message = errorMessage(error).replace(insideScript, "");
  if (message.startsWith("NOSCRIPT")) return "unknown-script";
  if (passing.test(message)) return "retry";
  if (!wasSent) return "not-sent";
  return isReply(error) ? "refused" : "unknown";
}

/** Where a server of a Cluster sends us: for good, or with this one command. */
export interface Redirection {
  readonly kind: "moved" | "ask";
  readonly slot: number;
  /** As `host:port`. */
  readonly address: string;
}

/** Reads `MOVED 3999 10.0.0.1:6379` and `ASK …`. */
export function parseRedirection(message: string): Redirection | undefined {
  const [, kind, slot, address] = /^(MOVED|ASK) (\d+) (\S+:\d+)$/.exec(message) ?? [];
  if (address === undefined) return undefined;
  return { kind: kind === "ASK" ? "ask" : "moved", slot: Number(slot), address };
}

/** Whether a server that is a replica by now refused to write. */
export function isReadOnlyRefusal(message: string): boolean {
  return message.replace(insideScript, "").startsWith("READONLY");
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** The error that a caller gets for what can't be retried, or not any longer. */
export function failureError(what: string, failure: Failure, cause: unknown): ParallaxError {
  const said = errorMessage(cause).replace(notConnected, "there is no connection");
  switch (failure) {
    case "refused":
      return new ParallaxError("redis_reply", `${what}: Redis refused: ${said}`, {
        cause,
        details: { reply: said },
      });
    case "not-sent":
    case "retry":
    case "unknown-script": {
      const message = `${what}: Redis can't take it now (${said}); nothing was done, try again`;
      return new ParallaxError("redis_unavailable", message, { cause });
    }
    case "unknown": {
      const message = `${what}: the connection broke (${said}); whether it was done is unknown, so check before repeating it`;
      return new ParallaxError("timeout", message, { cause });
    }
  }
}

/** What Lua and Redis give back, checked rather than assumed. */
export function asReply(value: unknown): RedisReply {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (Array.isArray(value)) return value.map(asReply);
  if (value === undefined) return null;
  // ioredis makes an object of what HGETALL and CONFIG GET answer; RESP3 has maps.
  if (value instanceof Map) return [...value].flat().map(asReply);
  if (typeof value === "object") return Object.entries(value).flat().map(asReply);
  return String(value);
}
