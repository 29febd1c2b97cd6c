import { type Logger, noopLogger, ParallaxError } from "@parallax/core";
import { errorBodySchema } from "@parallax/protocol";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { describe, expect, it } from "vitest";
import type { AppEnvironment } from "../../src/http/app.ts";
import { answerError } from "../../src/http/errors.ts";

/** What a request is answered with whose handler throws `error`. */
async function answerTo(error: unknown, logger: Logger = noopLogger): Promise<Response> {
  const app = new Hono<AppEnvironment>();
  app.use(async (context, next) => {
    context.set("requestId", "req_1");
    await next();
  });
  app.get("/", () => Promise.reject(error));
  app.onError((thrown, context) => answerError(context, thrown, logger));
  return app.request("/");
}

describe("a failed request", () => {
  it.each([
    [400, "invalid_request"],
    [400, "invalid_cursor"],
    [400, "invalid_input"],
    [400, "invalid_pattern"],
    [400, "unsupported_strategy"],
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "not_found"],
    [404, "execution_not_found"],
    [404, "agent_not_found"],
    [404, "pattern_not_found"],
    [404, "member_not_found"],
    [404, "unknown_member"],
    [409, "conflict"],
    [409, "execution_finished"],
    [409, "execution_open"],
    [409, "no_standby"],
    [409, "no_leader"],
    [413, "too_large"],
    [422, "idempotency_key_reused"],
    [503, "draining"],
    [503, "not_ready"],
    [503, "outcome_unknown"],
    [503, "store_full"],
    [503, "election_timeout"],
    // The store's own, which a request may meet while Redis is away, slow or full.
    [503, "timeout"],
    [503, "redis_unavailable"],
    [503, "redis_closed"],
    [503, "not_replicated"],
    [503, "overloaded"],
    [503, "store_closed"],
  ])("is answered with %s for %s", async (status, code) => {
    const response = await answerTo(new ParallaxError(code, "trying it: do this", { details: { a: 1 } }));
    expect(response.status).toBe(status);
    expect(errorBodySchema.parse(await response.json())).toEqual({
      error: { code, message: "trying it: do this", details: { a: 1 } },
      requestId: "req_1",
    });
  });

  it("says when to come back, and how to identify oneself", async () => {
    const busy = await answerTo(new ParallaxError("not_ready", "m"));
    expect(busy.headers.get("Retry-After")).toMatch(/^\d+$/);
    const unknown = await answerTo(new ParallaxError("unauthorized", "m"));
    expect(unknown.headers.get("WWW-Authenticate")).toBe("Bearer");
    expect(unknown.headers.get("Retry-After")).toBeNull();
  });

  it.each([
    ["an error that nobody expected", new TypeError("cannot read secret of undefined")],
    ["an expected error of a code without a status", new ParallaxError("invalid_reply", "secret")],
  ])("shows nothing of %s, and logs all of it under the request's id", async (_, error) => {
    const logged: unknown[] = [];
    const logger = { ...noopLogger, error: (_message: string, fields?: object) => void logged.push(fields) };
    const response = await answerTo(error, logger);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: "internal" }, requestId: "req_1" });
    expect(text).not.toContain("secret");
    expect(text).not.toContain("at ");
    expect(logged).toEqual([{ requestId: "req_1", path: "/", error }]);
  });

  it("is answered in the same way where the framework refused it", async () => {
    const response = await answerTo(new HTTPException(413));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "too_large" } });
  });
});
