import { noopLogger, ParallaxError, systemClock } from "@parallax/core";
import type { RecordEvent } from "@parallax/state-store";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Catalog } from "../../src/executions/catalog.ts";
import { eventOf } from "../../src/executions/journal.ts";
import type { ExecutionRecord } from "../../src/executions/record.ts";
import { viewOf } from "../../src/executions/view.ts";
import type { AppEnvironment } from "../../src/http/app.ts";
import { createAuthenticator } from "../../src/http/auth.ts";
import { answerError } from "../../src/http/errors.ts";
import { addEventRoutes, type EventRoutesOptions } from "../../src/http/events.ts";
import { createRouter } from "../../src/http/route.ts";
import { openTestStore, recordOf, type TestStore } from "../support/records.ts";
import { errorOf } from "../support/requests.ts";

const id = "exec_1";

describe("the events of one execution", () => {
  let at: TestStore;
  beforeEach(() => {
    at = openTestStore(systemClock);
  });
  afterEach(() => at.close());

  /** What the stream said, as the names of its events. */
  async function names(
    executions: EventRoutesOptions["executions"],
    lastEventId?: string,
  ): Promise<string[]> {
    const get: Catalog["get"] = async (wanted) => {
      const stored = await executions.get(wanted);
      if (!stored) throw new Error("it is gone");
      return viewOf(wanted, stored.value);
    };
    const app = new Hono<AppEnvironment>();
    addEventRoutes(createRouter(app, createAuthenticator([])), {
      bus: at.bus,
      clock: systemClock,
      logger: noopLogger,
      progress: { follow: () => () => {} },
      draining: new AbortController().signal,
      executions,
      catalog: { get },
    });
    const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
    const text = await (await app.request(`/api/executions/${id}/events`, { headers })).text();
    return [...text.matchAll(/^(?:event: (snapshot)|data: .*"type":"([\w-]+)".*)$/gm)].map(
      ([, snapshot, type]) => snapshot ?? type ?? "",
    );
  }

  it("leave none out, though it ends between the look at the execution and the look at its log", async () => {
    const { executions } = at.collections;
    const created = recordOf(id);
    await executions.create(id, created, { event: eventOf(id, created) });
    const completed: ExecutionRecord = { ...created, status: "completed", result: "x" };
    let looks = 0;
    async function completeAfter<Result>(look: Promise<Result>): Promise<Result> {
      const result = await look;
      looks += 1;
      // After the first of the two looks, whichever that is.
      if (looks === 2) {
        const patch = { set: { status: completed.status, result: "x" }, unset: ["owner" as const] };
        await executions.update(id, patch, { event: eventOf(id, completed) });
      }
      return result;
    }
    const racing = {
      ...executions,
      get: (wanted: string) => completeAfter(executions.get(wanted)),
      log: (wanted: string, after?: number) => completeAfter(executions.log(wanted, after)),
    };
    expect(await names(racing)).toEqual(["execution-created", "execution-completed", "snapshot"]);
  });

  it.each([
    ["were trimmed", (log: readonly RecordEvent[]) => log.slice(2), "1"],
    ["were taken back by a fail-over", (log: readonly RecordEvent[]) => log.slice(0, 1), "7"],
  ])("begin with the state where those after Last-Event-ID %s", async (_, left, lastEventId) => {
    const { executions } = at.collections;
    const created = recordOf(id);
    await executions.create(id, created, { event: { type: "execution-created" } });
    await executions.update(id, { set: { status: "running" } }, { event: { type: "execution-running" } });
    await executions.update(id, { set: { adoptions: 1 } }, { event: { type: "execution-adopted" } });
    let looks = 0;
    const shortened = {
      ...executions,
      async log(wanted: string) {
        looks += 1;
        const log = await executions.log(wanted);
        if (looks > 1) return log;
        const completed = { set: { status: "completed" as const, result: "x" }, unset: ["owner" as const] };
        await executions.update(id, completed, { event: { type: "execution-completed" } });
        return left(log ?? []);
      },
    };
    const told = await names(shortened, lastEventId);
    expect(told[0]).toBe("snapshot");
    expect(told.slice(-2)).toEqual(["execution-completed", "snapshot"]);
  });
});

describe("the events of one execution whose log was taken back", () => {
  let at: TestStore;
  beforeEach(() => {
    at = openTestStore(systemClock);
  });
  afterEach(() => at.close());

  it.each([
    ["begin with the state where numbers are used again for others", (atMs: number) => `2-${atMs - 1}`, true],
    ["go on where it is the log that they were read from", (atMs: number) => `2-${atMs}`, false],
  ])("%s (E4)", async (_, lastEventId, isTakenBack) => {
    const { executions } = at.collections;
    await executions.create(id, recordOf(id), { event: { type: "execution-created" } });
    await executions.update(id, { set: { status: "running" } }, { event: { type: "execution-running" } });
    const [, second] = (await executions.log(id)) ?? [];
    const stopping = new AbortController();
    const app = new Hono<AppEnvironment>();
    addEventRoutes(createRouter(app, createAuthenticator([])), {
      bus: at.bus,
      clock: systemClock,
      logger: noopLogger,
      progress: { follow: () => () => {} },
      draining: stopping.signal,
      executions: {
        ...executions,
        async log(wanted, after) {
          stopping.abort();
          return executions.log(wanted, after);
        },
      },
      catalog: { get: async () => viewOf(id, recordOf(id, { status: "running" })) },
    });
    const headers = { "Last-Event-ID": lastEventId(second?.atMs ?? 0) };
    const answer = await app.request(`/api/executions/${id}/events`, { headers });
    expect((await answer.text()).includes("event: snapshot")).toBe(isTakenBack);
  });
});

describe("the events of an execution that is no longer kept", () => {
  it.each([
    ["are gone for whoever resumes them", "3", 410, "gone"],
    ["are none for whoever asks for the first time", undefined, 404, "execution_not_found"],
  ] as const)("%s", async (_, lastEventId, status, code) => {
    const at = openTestStore(systemClock);
    const app = new Hono<AppEnvironment>();
    app.use(async (context, next) => {
      context.set("requestId", "req_1");
      await next();
    });
    app.onError((error, context) => answerError(context, error, noopLogger));
    addEventRoutes(createRouter(app, createAuthenticator([])), {
      bus: at.bus,
      clock: systemClock,
      logger: noopLogger,
      progress: { follow: () => () => {} },
      draining: new AbortController().signal,
      executions: at.collections.executions,
      catalog: {
        get: () => Promise.reject(new ParallaxError("execution_not_found", "reading: there is none; check")),
      },
    });
    const headers = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId };
    const answer = await app.request(`/api/executions/${id}/events`, { headers });
    expect(errorOf({ status: answer.status, body: await answer.json() }, status).code).toBe(code);
    at.close();
  });
});

describe("the question what a stream would begin with", () => {
  it.each(["/api/events", `/api/executions/${id}/events`])("opens none: HEAD %s", async (path) => {
    const at = openTestStore(systemClock);
    let opened = 0;
    const bus = {
      ...at.bus,
      subscribe(...options: Parameters<typeof at.bus.subscribe>) {
        opened += 1;
        return at.bus.subscribe(...options);
      },
    };
    const app = new Hono<AppEnvironment>();
    addEventRoutes(createRouter(app, createAuthenticator([])), {
      bus,
      clock: systemClock,
      logger: noopLogger,
      progress: { follow: () => () => {} },
      draining: new AbortController().signal,
      executions: at.collections.executions,
      catalog: { get: async () => viewOf(id, recordOf(id)) },
    });
    const answer = await app.request(path, { method: "HEAD" });
    expect([answer.status, answer.headers.get("Content-Type"), opened]).toEqual([
      200,
      "text/event-stream",
      0,
    ]);
    await at.close();
  });
});
