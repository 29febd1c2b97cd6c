import { errorMessage, ParallaxError } from "@parallax/core";

/**
 * What an error of ioredis means for the caller:
 * - `retry`: Redis refused before doing anything, for a reason that passes: a fail-over, a moving slot, a loading server;
 * - `unknown-script`: EVALSHA of a script that this server has not seen;
 * - `not-sent`: there was no connection to send it on;
 * - `unknown`: it may or may not have run;
 * - `refused`: Redis refused for a reason that stays.
 */
export type Failure = "retry" | "unknown-script" | "not-sent" | "unknown" | "refused";

const passing = /^(READONLY|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN)\b/;
/** Cluster clients that have no node to ask, or followed too many redirections, have sent nothing that ran. */
const noRoute =
  /^(Failed to refresh slots cache|Cluster isn't ready|None of startup nodes|Too many Cluster redirections)/;
const notSent = /^(Connection is closed|Stream isn't writeable|Cluster isn't ready and enableOfflineQueue)/;

/** Classifies an error by what it says: ioredis has no codes for these. */
export function classify(error: unknown): Failure {
  const message = errorMessage(error);
  if (message.startsWith("NOSCRIPT")) return "unknown-script";
  if (passing.test(message) || noRoute.test(message)) return "retry";
  if (notSent.test(message)) return "not-sent";
  return isReply(error) ? "refused" : "unknown";
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** The error that a caller gets for what can't be retried. */
export function failureError(what: string, failure: Failure, cause: unknown): ParallaxError {
  const reply = errorMessage(cause);
  switch (failure) {
    case "refused":
      return new ParallaxError("redis_reply", `${what}: Redis refused: ${reply}`, {
        cause,
        details: { reply },
      });
    case "not-sent":
    case "retry":
    case "unknown-script":
      return new ParallaxError(
        "redis_unavailable",
        `${what}: Redis can't take it now (${reply}); nothing was done, try again`,
        {
          cause,
        },
      );
    case "unknown":
      return new ParallaxError(
        "timeout",
        `${what}: the connection broke (${reply}); whether it was done is unknown`,
        { cause },
      );
  }
}
