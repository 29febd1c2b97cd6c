import { parseDuration } from "@parallax/core";
import {
  executionIdSchema,
  listExecutionsQuerySchema,
  submitExecutionSchema,
  submitQuerySchema,
} from "@parallax/protocol";
import { Hono } from "hono";
import { z } from "zod";
import type { Catalog } from "../executions/catalog.ts";
import { isFinal } from "../executions/record.ts";
import type { AppEnvironment } from "./app.ts";
import { check, readJson } from "./input.ts";

/** Longer waits end sooner: proxies cut silent connections. */
const longestWaitMs = 300_000;
const idempotencyKeySchema = z.string().min(1).max(256).optional();

export interface ExecutionRoutesOptions {
  readonly catalog: Catalog;
  /** @throws ParallaxError `not_ready`, `store_full` when no new work is taken */
  readonly admit: () => Promise<void>;
  /** Aborts when the node drains: waits then end with their 202. */
  readonly draining: AbortSignal;
}

/** `/api/executions` */
export function executionRoutes(options: ExecutionRoutesOptions): Hono<AppEnvironment> {
  const { catalog, admit, draining } = options;
  const routes = new Hono<AppEnvironment>();

  routes.post("/", async (context) => {
    const { wait } = check(submitQuerySchema, context.req.query(), "the query");
    const request = check(submitExecutionSchema, await readJson(context), "the execution");
    const idempotencyKey = check(
      idempotencyKeySchema,
      context.req.header("Idempotency-Key"),
      "the Idempotency-Key",
    );
    await admit();
    const { execution } = await catalog.submit({
      request,
      caller: context.get("caller").name,
      idempotencyKey,
    });
    context.header("Location", `/api/executions/${execution.id}`);
    if (wait === undefined) return context.json(execution, 202);
    const waitMs = Math.min(longestWaitMs, parseDuration(wait));
    const ended = await catalog.wait(
      execution.id,
      waitMs,
      AbortSignal.any([context.req.raw.signal, draining]),
    );
    return context.json(ended, isFinal(ended.status) ? 200 : 202);
  });

  routes.get("/", async (context) => {
    const query = check(listExecutionsQuerySchema, context.req.query(), "the query");
    return context.json(await catalog.list(query));
  });

  routes.get("/:id", async (context) => context.json(await catalog.get(idOf(context.req.param("id")))));

  routes.post("/:id/cancel", async (context) =>
    context.json(await catalog.cancel(idOf(context.req.param("id")))),
  );

  routes.post("/:id/retry", async (context) => {
    const idempotencyKey = check(
      idempotencyKeySchema,
      context.req.header("Idempotency-Key"),
      "the Idempotency-Key",
    );
    await admit();
    const execution = await catalog.retry(
      idOf(context.req.param("id")),
      context.get("caller").name,
      idempotencyKey,
    );
    context.header("Location", `/api/executions/${execution.id}`);
    return context.json(execution, 202);
  });

  return routes;
}

export function idOf(id: string): string {
  return check(executionIdSchema, id, "the id of the execution");
}
