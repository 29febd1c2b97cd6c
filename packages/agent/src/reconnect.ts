import { createBackoff, ParallaxError, type Random } from "@parallax/core";
import { closeCodes, comesBack } from "@parallax/protocol";

/** A connection that held for this long, in milliseconds, ends a row of failures. */
const stableAfterMs = 10_000;

/** The spread of agents that lost a node before any node told them theirs, in milliseconds. */
const defaultSpreadMs = 5_000;

/** No server keeps an agent away for longer than this, in milliseconds. */
const longestRetryAfterMs = 300_000;

/** Whether, how often and how fast an agent connects again. */
export interface ReconnectPolicy {
  readonly enabled: boolean;
  /** Failures in a row after which an agent that owes nothing gives up. */
  readonly maxRetries: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number; readonly multiplier: number };
}

/** How a connection, or the attempt to make one, ended. */
export interface ConnectionEnd {
  /** The WebSocket's close code; 1006 if there was none. */
  readonly code: number;
  readonly reason: string;
  /** For how long a node's welcome held, in milliseconds; undefined if none came. */
  readonly welcomedForMs?: number | undefined;
  /** The spread of that welcome, in milliseconds. */
  readonly spreadMs?: number | undefined;
  /** The HTTP answer that refused the upgrade. */
  readonly refusal?: { readonly status: number; readonly retryAfterMs: number | undefined } | undefined;
  /** Milliseconds left of the wait that the node asked for with `drain`; then the move is planned. */
  readonly moveInMs?: number | undefined;
}

/** What follows the end of a connection. */
export type Step =
  | {
      readonly type: "wait";
      readonly delayMs: number;
      /** Failures in a row so far, this one included if it counts. */
      readonly retry: number;
      /** The next connection begins a new session: this one was refused for good. */
      readonly forget: boolean;
    }
  | { readonly type: "give-up"; readonly error: ParallaxError };

/** When to connect again. Deterministic: randomness is handed in. */
export interface Reconnect {
  after(end: ConnectionEnd, owes: boolean): Step;
}

export function createReconnect(policy: ReconnectPolicy, random: Random): Reconnect {
  const backoff = createBackoff({ ...policy.backoff, random });
  let retries = 0;

  function wait(delayMs: number, forget = false): Step {
    return { type: "wait", delayMs, retry: retries, forget };
  }

  /** Full jitter; after an unclean loss, when a whole node's agents come at once, over the spread that the node chose. */
  function delay({ code, welcomedForMs, spreadMs = defaultSpreadMs }: ConnectionEnd): number {
    const unclean = welcomedForMs !== undefined && code !== closeCodes.rebalance;
    return unclean ? random.next() * spreadMs : backoff.next();
  }

  return {
    after(end, owes) {
      if (!policy.enabled) return { type: "give-up", error: gaveUp(end, "reconnect.enabled is false") };
      if ((end.welcomedForMs ?? 0) >= stableAfterMs) {
        retries = 0;
        backoff.reset();
      }
      if (end.moveInMs !== undefined) return wait(end.moveInMs);
      if (isBusy(end.refusal?.status)) {
        // A node that drains or is full has not failed, and says when to come back.
        const retryAfterMs = end.refusal?.retryAfterMs;
        if (retryAfterMs === undefined) return wait(backoff.next());
        return wait(Math.min(retryAfterMs, longestRetryAfterMs) + random.next() * defaultSpreadMs);
      }
      retries += 1;
      const refused = isRefusedForGood(end);
      if (refused && !owes) return { type: "give-up", error: gaveUp(end, "the cluster refuses this agent") };
      if (retries > policy.maxRetries && !owes) {
        return { type: "give-up", error: gaveUp(end, `${policy.maxRetries} retries in a row have failed`) };
      }
      return refused ? wait(backoff.next(), true) : wait(delay(end));
    },
  };
}

function isBusy(status: number | undefined): boolean {
  return status === 503 || status === 429;
}

function isRefusedForGood({ code, refusal }: ConnectionEnd): boolean {
  const status = refusal?.status;
  return !comesBack(code) || status === 401 || status === 403 || status === 426;
}

function gaveUp(end: ConnectionEnd, why: string): ParallaxError<"gave_up"> {
  const last = `the last connection ended with ${end.refusal?.status ?? end.code}${end.reason === "" ? "" : ` (${end.reason})`}`;
  const message = `connecting to the control plane: ${why}; ${last}; check its address, the token and its log`;
  const details = { code: end.code, reason: end.reason, status: end.refusal?.status };
  return new ParallaxError("gave_up", message, { details });
}
