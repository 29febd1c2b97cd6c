import { noopLogger } from "@parallax/core";
import { listExecutions, submitExecution, submitExecutionSchema } from "@parallax/protocol";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { AppEnvironment } from "../../src/http/app.ts";
import { answerError } from "../../src/http/errors.ts";
import { check, limitBody, readJson } from "../../src/http/input.ts";

const app = new Hono<AppEnvironment>();
app.use(limitBody(1_000_000));
app.post("/json", async (context) => context.json({ read: await readJson(context) }));
app.post("/execution", async (context) =>
  context.json(check(submitExecutionSchema, await readJson(context), "the execution")),
);
app.onError((error, context) => answerError(context, error, noopLogger));

async function post(
  path: string,
  body: string,
  headers: Record<string, string> = json,
): Promise<{ status: number; body: unknown }> {
  const response = await app.request(path, { method: "POST", body, headers });
  return { status: response.status, body: await response.json() };
}

const json = { "Content-Type": "application/json" };
const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

describe("a request that is not as it should be", () => {
  it.each([
    [{}, "body.pattern: is missing"],
    [{ pattern: 7 }, "body.pattern: must be a text"],
    [{ pattern: "No Name" }, "body.pattern: must be at most 64 lower-case letters"],
    [[], "body: must be an object"],
    [{ pattern: "p", option: {} }, "body: has no option; leave it out"],
    [{ pattern: "p", options: { retries: 101 } }, "body.options.retries: must be at most 100"],
    [{ pattern: "p", options: { retries: "1" } }, "body.options.retries: must be a number"],
    [{ pattern: "p", options: { timeout: "soon" } }, "body.options.timeout: must be a duration such as"],
    [{ pattern: "p", options: { timeout: true } }, "body.options.timeout: must be a duration such as"],
  ])("%j is told of in words", (body, words) => {
    const read = (): unknown => check(submitExecution.input, { query: {}, headers: {}, body }, "the request");
    expect(read).toThrow(`reading the request: ${words}`);
  });

  it("is told of a query in words, too", () => {
    const read = (query: object): unknown => check(listExecutions.input, { query }, "the request");
    expect(() => read({ limit: "many" })).toThrow("query.limit: must be a number");
    expect(() => read({ limit: "0" })).toThrow("query.limit: must be at least 1");
    expect(() => read({ status: "lost" })).toThrow("query.status: must be one of pending, running,");
  });
});

describe("a body", () => {
  it.each([
    ["", {}],
    [" \n", {}],
    ["null", null],
    ['{"a":[1]}', { a: [1] }],
    [nested(200), JSON.parse(nested(200))],
  ])("is JSON, or nothing at all", async (text, read) => {
    expect(await post("/json", text)).toEqual({ status: 200, body: { read } });
  });

  it.each([
    ["{", /^reading the body: send JSON; /],
    ["a=1", /^reading the body: send JSON; /],
    [nested(201), /^reading the body: nest at most 200 arrays and objects$/],
    [`{"a":${nested(200)}}`, /nest at most 200/],
    [nested(400_000), /nest at most 200/],
  ])("is refused when it is none, or too deep for an agent", async (text, message) => {
    expect(await post("/json", text)).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request", message: expect.stringMatching(message) } },
    });
  });

  it.each([
    ["application/json; charset=utf-8", 200],
    ["Application/JSON", 200],
    ["application/problem+json", 200],
    ["application/jsonp", 415],
    ["text/plain;charset=UTF-8", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=application/json", 415],
    ["", 415],
  ])("of type %s is answered with %i", async (type, status) => {
    expect((await post("/json", "{}", { "Content-Type": type })).status).toBe(status);
    expect((await post("/json", "", { "Content-Type": type })).status, "nothing has no type").toBe(200);
  });

  it("is checked, and everything that is wrong is named", async () => {
    const { status, body } = await post("/execution", '{"pattern":"No!","options":{"retries":-1}}');
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: {
        code: "invalid_request",
        message: expect.stringMatching(/^reading the execution: pattern: .+; options\.retries: /),
        details: { problems: [{ path: "pattern" }, { path: "options.retries" }] },
      },
    });
  });
});
