import { isParallaxError, type Logger, ParallaxError } from "@parallax/core";
import { type ErrorBody, errorStatuses, isErrorCode } from "@parallax/protocol";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";

/** Seconds after which a client that was told 429 or 503 may try again. */
const retryAfterS = "2";

/** Answers an error as the contract says: `{error: {code, message, details?}, requestId}`, without a stack. */
export function answerError(context: Context, error: unknown, logger: Logger): Response {
  const known = asParallaxError(error);
  const status = known && isErrorCode(known.code) ? errorStatuses[known.code] : undefined;
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
