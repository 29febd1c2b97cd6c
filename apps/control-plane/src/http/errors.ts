import { isParallaxError, type Logger, ParallaxError } from "@parallax/core";
import type { ErrorBody } from "@parallax/protocol";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** The status that an error's code is answered with. What is not here is nobody's expectation: 500. */
const statusOfCode: Readonly<Record<string, ContentfulStatusCode>> = {
  invalid_request: 400,
  invalid_cursor: 400,
  invalid_id: 400,
  invalid_input: 400,
  invalid_limit: 400,
  invalid_pattern: 400,
  invalid_value: 400,
  unsupported_strategy: 400,
  unauthorized: 401,
  forbidden: 403,
  agent_not_found: 404,
  execution_not_found: 404,
  member_not_found: 404,
  not_found: 404,
  pattern_not_found: 404,
  unknown_member: 404,
  conflict: 409,
  execution_finished: 409,
  execution_open: 409,
  ha_disabled: 409,
  no_leader: 409,
  no_standby: 409,
  gone: 410,
  too_large: 413,
  idempotency_key_reused: 422,
  too_many_requests: 429,
  draining: 503,
  election_timeout: 503,
  not_ready: 503,
  not_replicated: 503,
  outcome_unknown: 503,
  overloaded: 503,
  redis_closed: 503,
  redis_unavailable: 503,
  store_closed: 503,
  store_full: 503,
  timeout: 503,
};

/** Seconds after which a client that was told 429 or 503 may try again. */
const retryAfterS = "2";

/** Answers an error as the contract says: `{error: {code, message, details?}, requestId}`, without a stack. */
export function answerError(context: Context, error: unknown, logger: Logger): Response {
  const known = asParallaxError(error);
  const status = known ? statusOfCode[known.code] : undefined;
  const requestId = String(context.get("requestId") ?? "");
  if (!known || !status) {
    logger.error("a request failed", { requestId, path: context.req.path, error });
    const message = "answering the request: something failed inside the node; its log has the request's id";
    return context.json<ErrorBody>({ error: { code: "internal", message }, requestId }, 500);
  }
  if (status === 429 || status === 503) context.header("Retry-After", retryAfterS);
  if (status === 401) context.header("WWW-Authenticate", "Bearer");
  const { code, message, details } = known;
  return context.json<ErrorBody>(
    { error: { code, message, ...(details ? { details } : {}) }, requestId },
    status,
  );
}

function asParallaxError(error: unknown): ParallaxError | undefined {
  if (isParallaxError(error)) return error;
  if (!(error instanceof HTTPException)) return undefined;
  const code = error.status === 413 ? "too_large" : "invalid_request";
  return new ParallaxError(code, `reading the request: ${error.message || "correct it"}`, { cause: error });
}
