import { noopLogger, onAbort, systemClock } from "@parallax/core";
import type { Execution } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { viewOf } from "../../src/executions/view.ts";
import type { AppEnvironment } from "../../src/http/app.ts";
import { createAuthenticator } from "../../src/http/auth.ts";
import { answerError } from "../../src/http/errors.ts";
import { addExecutionRoutes } from "../../src/http/executions.ts";
import { createRouter } from "../../src/http/route.ts";
import { type Listening, listen } from "../../src/listen.ts";
import { untraced } from "../../src/observe/traced-work.ts";
import { recordOf } from "../support/records.ts";
import { call } from "../support/requests.ts";

const pending = viewOf("exec_1", recordOf("exec_1"));

function unused(): never {
  throw new Error("not called here");
}

describe("a wait for the result", () => {
  let server: Listening;
  let url: string;
  let draining: AbortController;
  /** Waits that have not ended. */
  let waiting: number;
  let endAll: (execution: Execution) => void;

  beforeEach(async () => {
    draining = new AbortController();
    waiting = 0;
    const ended = new Promise<Execution>((resolve) => (endAll = resolve));
    const app = new Hono<AppEnvironment>();
    app.onError((error, context) => answerError(context, error, noopLogger));
    addExecutionRoutes(createRouter(app, createAuthenticator([])), {
      catalog: {
        submit: async () => ({ execution: pending, created: true }),
        async wait(_id, _timeoutMs, signal) {
          waiting += 1;
          const left = new Promise<Execution>((resolve) => onAbort(signal, () => resolve(pending)));
          const execution = await Promise.race([ended, left]);
          waiting -= 1;
          return execution;
        },
        get: unused,
        list: unused,
        cancel: unused,
        retry: unused,
      },
      admit: async () => {},
      draining: draining.signal,
      redisKeyOf: () => undefined,
      tracing: untraced,
    });
    server = await listen({
      fetch: app.fetch,
      host: "127.0.0.1",
      port: 0,
      clock: systemClock,
      logger: noopLogger,
    });
    url = `http://127.0.0.1:${server.port}/api/executions?wait=30s`;
  });
  afterEach(() => server.close(1000));

  it("ends with its caller", async () => {
    const caller = new AbortController();
    const request = fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"pattern":"p"}',
      signal: caller.signal,
    });
    request.catch(() => {});
    await eventually(() => waiting === 1);
    caller.abort();
    await eventually(() => waiting === 0);
    await expect(request).rejects.toThrow();
  });

  it("ends with a 202 when the node drains, whoever waits", async () => {
    const requests = [1, 2, 3].map(() => call(url, { body: { pattern: "p" } }));
    await eventually(() => waiting === 3);
    draining.abort();
    for (const { status, body } of await Promise.all(requests))
      expect([status, body]).toEqual([202, pending]);
    expect(waiting).toBe(0);
    expect((await call(url, { body: { pattern: "p" } })).status, "nor does it begin then").toBe(202);
  });

  it("ends with a 200 when the execution does", async () => {
    const request = call(url, { body: { pattern: "p" } });
    await eventually(() => waiting === 1);
    endAll({ ...pending, status: "completed", result: 1 });
    expect(await request).toMatchObject({ status: 200, body: { result: 1 } });
  });
});
