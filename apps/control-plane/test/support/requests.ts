import { type ErrorBody, errorBodySchema } from "@parallax/protocol";
import { expect } from "vitest";
import type { z } from "zod";

/** An answer, its JSON already read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: unknown;
}

export interface Call {
  readonly method?: string;
  /** Sent as JSON, a string as it is. */
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function call(url: string, options: Call = {}): Promise<Answer> {
  const { body, token } = options;
  const { method = body === undefined ? "GET" : "POST" } = options;
  const response = await fetch(url, {
    method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is of a schema, with no field that the schema does not know. */
export function exactly<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const output = schema.parse(value);
  expect(value).toEqual(output);
  return output;
}

/** The error of a refused request; it has a code, a message that ends with a remedy, and names the request. */
export function errorOf(
  { status, body }: Pick<Answer, "status" | "body">,
  expected: number,
): ErrorBody["error"] {
  expect(status).toBe(expected);
  const { error, requestId } = exactly(errorBodySchema, body);
  expect(requestId).toMatch(/^[\w.-]+$/);
  expect(error.code).toMatch(/^[a-z_]+$/);
  expect(error.message).toMatch(/^[a-z].*[:;] /);
  expect(error.message).not.toMatch(/\n\s+at /);
  return error;
}
