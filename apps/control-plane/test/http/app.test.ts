import { noopLogger, systemClock } from "@parallax/core";
import { allOperations } from "@parallax/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApp } from "../../src/http/app.ts";
import { createAuthenticator } from "../../src/http/auth.ts";
import { untraced } from "../../src/observe/traced-work.ts";
import { openTestStore, type TestStore } from "../support/records.ts";

function unused(): never {
  throw new Error("no request is made here");
}

describe("the HTTP API", () => {
  let at: TestStore;
  beforeEach(() => {
    at = openTestStore(systemClock);
  });
  afterEach(() => at.close());

  it("has a route for each operation that is described, and no other", () => {
    const app = createApp({
      catalog: { submit: unused, get: unused, list: unused, wait: unused, cancel: unused, retry: unused },
      ha: { status: unused, stepDown: unused, elect: unused, drain: unused, receive: unused },
      patterns: { get: unused, use: unused, list: unused, put: unused, close: unused },
      executions: at.collections.executions,
      progress: { follow: unused },
      agents: at.collections.agents,
      bus: at.bus,
      clock: systemClock,
      logger: noopLogger,
      authenticator: createAuthenticator([]),
      draining: new AbortController().signal,
      version: "0.0.0",
      maxBodyBytes: 1000,
      admit: unused,
      assertStore: unused,
      heldBy: unused,
      redisKeyOf: unused,
      tracing: untraced,
      health: unused,
      metrics: unused,
      clusterMetrics: unused,
      diagnose: unused,
      onAnswered: unused,
    });
    const routes = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect(routes.sort()).toEqual(allOperations.map(({ method, path }) => `${method} ${path}`).sort());
  });
});
