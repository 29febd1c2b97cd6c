import { ParallaxError } from "@parallax/core";
import { agentLimits } from "@parallax/protocol";
import type { Context, MiddlewareHandler } from "hono";
import type { z } from "zod";
import type { AppEnvironment } from "./app.ts";

/** What a request carries, checked. @throws ParallaxError `invalid_request` naming every field that is wrong. */
export function check<Output>(schema: z.ZodType<Output>, value: unknown, what: string): Output {
  const parsed = schema.safeParse(value, { error: wordsFor });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({
    path: issue.path.join("."),
    message: issue.message,
  }));
  const listed = problems.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("; ");
  throw new ParallaxError("invalid_request", `reading ${what}: ${listed}`, { details: { problems } });
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

/** What would be right, where the schema does not say it in words of its own. */
function wordsFor(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? "is missing"
        : `must be ${kinds[issue.expected] ?? `of the type ${issue.expected}`}`;
    case "unrecognized_keys":
      return `has no ${issue.keys.join(", ")}; leave ${issue.keys.length === 1 ? "it" : "them"} out`;
    case "invalid_value":
      return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.join(", ")}`;
    case "too_small":
      return `must ${issue.origin === "number" || issue.origin === "int" ? "be" : "have"} at least ${issue.minimum}`;
    case "too_big":
      return `must ${issue.origin === "number" || issue.origin === "int" ? "be" : "have"} at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

/**
 * Bounds the bodies of requests: one that says how long it is, at once, and any other while {@link readJson} reads it.
 * @throws ParallaxError `too_large`
 */
export function limitBody(maxBytes: number): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    if (Number(context.req.header("Content-Length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
    context.set("maxBodyBytes", maxBytes);
    await next();
  };
}

function tooLarge(maxBytes: number): ParallaxError {
  const message = `reading the body: it is longer than ${maxBytes} bytes; send less, or raise server.maxBody`;
  return new ParallaxError("too_large", message, { details: { maxBytes } });
}

/**
 * The JSON body; `{}` where there is none.
 * @throws ParallaxError `invalid_request` when it is no JSON, or nested deeper than a frame to an agent may be; `too_large`;
 *   `unsupported_media_type` when it says that it is something else
 */
export async function readJson(context: Context<AppEnvironment>): Promise<unknown> {
  const isCounted = context.req.header("Content-Length") !== undefined;
  const text = isCounted ? await context.req.text() : await readText(context);
  if (text.trim() === "") return {};
  assertJson(context.req.header("Content-Type"));
  const value = parse(text);
  if (!isNestedDeeperThan(value, agentLimits.maxNesting)) return value;
  const message = `reading the body: nest at most ${agentLimits.maxNesting} arrays and objects`;
  throw new ParallaxError("invalid_request", message);
}

/** A body that says nothing of its type is taken for JSON. */
function assertJson(contentType: string | undefined): void {
  if (contentType === undefined || /^\s*application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType))
    return;
  const message = `reading the body: its type is ${contentType.slice(0, 100)}; send JSON, with Content-Type: application/json`;
  throw new ParallaxError("unsupported_media_type", message);
}

/** A body that does not say how long it is. */
async function readText({ req, get }: Context<AppEnvironment>): Promise<string> {
  const maxBytes = get("maxBodyBytes");
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of req.raw.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it can't be parsed";
    throw new ParallaxError("invalid_request", `reading the body: send JSON; ${reason}`, { cause: error });
  }
}

/** Level by level: whatever walks the value recursively would overflow its stack. */
function isNestedDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value].filter(isNested);
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > limit) return true;
    level = level.flatMap((part) => Object.values(Object(part)).filter(isNested));
  }
  return false;
}

function isNested(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
