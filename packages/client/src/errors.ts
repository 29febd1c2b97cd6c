import { errorMessage, ParallaxError } from "@parallax/core";
import { errorBodySchema, type Operation } from "@parallax/protocol";
import type { FetchedAnswer } from "./options.ts";

/** The error of an answer: the server's own code, message and details, with `status` and `requestId` among the details. */
export async function answerError(what: string, response: FetchedAnswer): Promise<ParallaxError> {
  const { status } = response;
  const text = await response.text().catch(() => "");
  const parsed = errorBodySchema.safeParse(parseJson(text));
  if (parsed.success) {
    const { error, requestId } = parsed.data;
    return new ParallaxError(error.code, error.message, { details: { ...error.details, status, requestId } });
  }
  const message = `${what}: the answer was ${status} without an error that can be read; check that the address is a Parallax control plane`;
  return new ParallaxError("http_error", message, { details: { status, body: text.slice(0, 500) } });
}

/** Reads the body of a good answer. @throws ParallaxError `invalid_response` */
export async function readAnswer<Answer>(
  what: string,
  response: FetchedAnswer,
  schema: Operation<Answer>["answer"]["schema"],
): Promise<Answer> {
  const { status } = response;
  if (!schema)
    throw new ParallaxError("invalid_response", `${what}: this answer is no JSON; read it yourself`);
  const parsed = schema.safeParse(parseJson(await response.text()));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue ? ` (${issue.path.join(".")}: ${issue.message})` : "";
  const message = `${what}: the answer is none of this version${where}; check the address, and update the older side`;
  throw new ParallaxError("invalid_response", message, { cause: parsed.error, details: { status } });
}

/** No address answered. */
export function unreachable(
  what: string,
  urls: readonly string[],
  cause: unknown,
): ParallaxError<"unreachable"> {
  const message = `${what}: no answer from ${urls.join(", ")} (${rootMessage(cause)}); check the address and that a node runs there`;
  return new ParallaxError("unreachable", message, { cause, details: { urls } });
}

/**
 * Whether a failed request was certainly not received: no connection came about. Anything else, a reset or a time-out, may
 * have been carried out.
 */
export function wasNotSent(error: unknown): boolean {
  return errorCodes(error).some((code) => neverConnected.has(code));
}

const neverConnected: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function errorCodes(error: unknown): readonly string[] {
  if (typeof error !== "object" || error === null) return [];
  const own = "code" in error && typeof error.code === "string" ? [error.code] : [];
  const inner = error instanceof AggregateError ? error.errors.flatMap(errorCodes) : [];
  return [...own, ...inner, ...("cause" in error ? errorCodes(error.cause) : [])];
}

/** `fetch failed` says nothing: its cause does. */
function rootMessage(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause !== undefined) return rootMessage(cause);
  const message = errorMessage(error);
  return message === "" ? (errorCodes(error)[0] ?? "no connection") : message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
