import { ParallaxError } from "@parallax/core";
import type { Context } from "hono";
import type { z } from "zod";

/** What a request carries, checked. @throws ParallaxError `invalid_request` naming every field that is wrong. */
export function check<Output>(schema: z.ZodType<Output>, value: unknown, what: string): Output {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({
    path: issue.path.join("."),
    message: issue.message,
  }));
  const listed = problems.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join("; ");
  throw new ParallaxError("invalid_request", `reading ${what}: ${listed}`, { details: { problems } });
}

/** The JSON body; `{}` where there is none. @throws ParallaxError `invalid_request` when it is no JSON. */
export async function readJson(context: Context): Promise<unknown> {
  const text = await context.req.text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it can't be parsed";
    throw new ParallaxError("invalid_request", `reading the body: send JSON; ${reason}`, { cause: error });
  }
}
