import { isParallaxError, onAbort, parseDuration } from "@parallax/core";
import {
  cancelExecution,
  type Execution,
  getExecution,
  listExecutions,
  retryExecution,
  submitExecution,
} from "@parallax/protocol";
import type { Context } from "hono";
import type { Catalog } from "../executions/catalog.ts";
import { isFinal } from "../executions/record.ts";
import type { WorkTracing } from "../observe/traced-work.ts";
import type { AppEnvironment } from "./app.ts";
import { listPage } from "./pages.ts";
import type { Router } from "./route.ts";

/** Longer waits end sooner: proxies cut silent connections. */
const longestWaitMs = 300_000;
/** Who comes when so many wait is answered at once, with the 202 that every wait may end with (S7). */
const maxWaiting = 10_000;

export interface ExecutionRoutesOptions {
  readonly catalog: Catalog;
  /** @throws ParallaxError `not_ready`, `store_full`, `overloaded` when no new work is taken */
  readonly admit: () => Promise<void>;
  /** Aborts when the node drains: waits then end with their 202. */
  readonly draining: AbortSignal;
  /** The key of an execution's record, for people, where there is one. */
  readonly redisKeyOf: (id: string) => string | undefined;
  readonly tracing: Pick<WorkTracing, "submission">;
}

/** `/api/executions` */
export function addExecutionRoutes(router: Router, options: ExecutionRoutesOptions): void {
  const { catalog, admit, redisKeyOf, tracing } = options;
  const wait = createWaits(options);

  router.add(submitExecution, async ({ query, headers, body }, context) => {
    await admit();
    const about = { name: `submit ${body.pattern}`, parent: context.req.header("traceparent") };
    const { execution, created } = await tracing.submission(about, (traceparent) =>
      catalog.submit({
        request: body,
        caller: context.get("caller").name,
        idempotencyKey: headers["Idempotency-Key"],
        traceparent,
      }),
    );
    tellWhere(context, execution, created);
    if (query.wait === undefined) return execution;
    const ended = await wait(execution, parseDuration(query.wait), context.req.raw.signal);
    if (isFinal(ended.status)) context.status(200);
    return ended;
  });

  router.add(listExecutions, async ({ query }) => {
    const { status, node, pattern } = query;
    const { items, cursor } = await listPage(query, async (page) => {
      const { executions, cursor } = await catalog.list({ status, node, pattern, ...page });
      return { items: executions, cursor };
    });
    return { executions: items, ...(cursor === undefined ? {} : { cursor }) };
  });

  router.add(getExecution, async ({ params: { id } }) => {
    const execution = await catalog.get(id);
    const redisKey = redisKeyOf(id);
    return redisKey === undefined ? execution : { ...execution, redisKey };
  });

  router.add(cancelExecution, async ({ params: { id } }, context) => {
    const execution = await catalog.cancel(id).catch(async (error: unknown) => {
      // Whoever repeats a cancel whose answer was lost gets what the first one would have said.
      const found = isParallaxError(error, "execution_finished") ? await catalog.get(id) : undefined;
      if (found?.status === "cancelled") return found;
      throw error;
    });
    context.status(isFinal(execution.status) ? 200 : 202);
    return execution;
  });

  router.add(retryExecution, async ({ params: { id }, headers }, context) => {
    await admit();
    const key = headers["Idempotency-Key"];
    const { name } = context.get("caller");
    const about = { name: "retry", parent: context.req.header("traceparent") };
    const { execution } = await tracing.submission(about, async (traceparent) => ({
      execution: await catalog.retry(id, name, key, traceparent),
    }));
    tellWhere(context, execution, true);
    return execution;
  });
}

function tellWhere(context: Context<AppEnvironment>, { id }: Execution, created: boolean): void {
  context.set("executionId", id);
  context.header("Location", `/api/executions/${id}`);
  if (!created) context.header("Idempotent-Replayed", "true");
}

/** Waits for the end of executions, as many at once as there may be. They end when their caller leaves or the node drains. */
function createWaits({ catalog, draining }: ExecutionRoutesOptions) {
  let waiting = 0;
  return async (execution: Execution, wantedMs: number, caller: AbortSignal): Promise<Execution> => {
    if (waiting >= maxWaiting) return execution;
    waiting += 1;
    // Not `AbortSignal.any`: what it makes from a signal that lives long is kept as long, on Node 20.
    const controller = new AbortController();
    const forget = [draining, caller].map((signal) => onAbort(signal, () => controller.abort()));
    try {
      return await catalog.wait(execution.id, Math.min(longestWaitMs, wantedMs), controller.signal);
    } finally {
      waiting -= 1;
      for (const stop of forget) stop();
    }
  };
}
