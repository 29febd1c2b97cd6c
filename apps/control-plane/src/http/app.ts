import { type Clock, type Logger, ParallaxError, randomId } from "@parallax/core";
import type { Exposition } from "@parallax/metrics";
import {
  connectAgent,
  getClusterMetrics,
  getHealth,
  getLiveness,
  getMetrics,
  getReadiness,
} from "@parallax/protocol";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { Catalog } from "../executions/catalog.ts";
import type { HighAvailability } from "../high-availability.ts";
import type { DiagnoseCluster } from "../observe/cluster-diagnosis.ts";
import { type ClusterMetrics, passedOnHeader } from "../observe/cluster-metrics.ts";
import type { Patterns } from "../patterns/registry.ts";
import { type AgentRoutesOptions, addAgentRoutes } from "./agents.ts";
import type { Authenticator, Caller } from "./auth.ts";
import { answerError } from "./errors.ts";
import { addEventRoutes, type EventRoutesOptions } from "./events.ts";
import { addExecutionRoutes, type ExecutionRoutesOptions } from "./executions.ts";
import { addHaRoutes } from "./ha.ts";
import { limitBody } from "./input.ts";
import { isFromElsewhere } from "./origin.ts";
import { addPatternRoutes } from "./patterns.ts";
import { addReferenceRoutes } from "./reference.ts";
import { createRouter, type Router } from "./route.ts";

/** What the middleware puts into a request's context. */
export interface AppEnvironment {
  readonly Variables: {
    requestId: string;
    caller: Caller;
    maxBodyBytes: number;
    /** The execution that it is about, once that is known. */
    executionId: string | undefined;
  };
}

/** One request that was answered. `route` is the pattern of its path, so that metrics stay bounded. */
export interface AnsweredRequest {
  readonly requestId: string;
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly seconds: number;
  readonly executionId: string | undefined;
}

export interface AppOptions extends ExecutionRoutesOptions, AgentRoutesOptions, EventRoutesOptions {
  readonly catalog: Catalog;
  readonly authenticator: Authenticator;
  /** @throws ParallaxError `redis_unavailable` while the store is known to be away */
  readonly assertStore: () => void;
  readonly ha: HighAvailability;
  readonly patterns: Patterns;
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  /** Of this program. */
  readonly version: string;
  /** `/health`, `/health/live`, `/health/ready` */
  readonly health: (request: Request) => Response | Promise<Response>;
  /** `/metrics`, in the format that `Accept` asks for. */
  readonly metrics: (accept: string | undefined) => Promise<Exposition>;
  /** `/metrics/cluster` */
  readonly clusterMetrics: ClusterMetrics["expose"];
  /** `/ha/diagnosis` */
  readonly diagnose: DiagnoseCluster;
  readonly onAnswered: (request: AnsweredRequest) => void;
}

/** The HTTP API of a node: every route is an operation that the protocol describes. */
export function createApp(options: AppOptions): Hono<AppEnvironment> {
  const { authenticator, clock, draining, health, logger, maxBodyBytes } = options;
  const app = new Hono<AppEnvironment>();
  const router = createRouter(app, authenticator);

  app.use(requestId, observe(clock, options.onAnswered), answerWell(draining));
  app.onError((error, context) => answerError(context, error, logger));
  app.notFound((context) => answerUnrouted(context, router, authenticator, logger));
  app.use(refuseOtherPages(authenticator));
  app.use("/api/*", limitBody(maxBodyBytes), async (_, next) => {
    options.assertStore();
    await next();
  });
  app.use("/ha/*", limitBody(64 * 1024));

  for (const probe of [getHealth, getLiveness, getReadiness])
    router.add(probe, (_, context) => health(context.req.raw));
  router.add(getMetrics, async (_, { req }) => answerText(await options.metrics(req.header("Accept"))));
  router.add(getClusterMetrics, async (_, { req }) => {
    const passedOn = req.header(passedOnHeader) !== undefined;
    return answerText(await options.clusterMetrics({ accept: req.header("Accept"), passedOn }));
  });
  router.add(connectAgent, refuseWithoutUpgrade);
  addExecutionRoutes(router, options);
  addAgentRoutes(router, options);
  addPatternRoutes(router, options.patterns);
  addEventRoutes(router, options);
  addHaRoutes(router, options.ha, options.diagnose);
  addReferenceRoutes(router, options);
  return app;
}

function answerText({ body, contentType }: Exposition): Response {
  return new Response(body, { headers: { "Content-Type": contentType } });
}

const requestId: MiddlewareHandler<AppEnvironment> = async (context, next) => {
  const given = context.req.header("X-Request-Id");
  const id = given !== undefined && /^[\w.-]{1,128}$/.test(given) ? given : randomId("req_");
  context.set("requestId", id);
  context.header("X-Request-Id", id);
  await next();
};

function observe(
  clock: Clock,
  onAnswered: (request: AnsweredRequest) => void,
): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    const startedMs = clock.now();
    await next();
    const seconds = (clock.now() - startedMs) / 1000;
    const { routePath: route, method, path } = context.req;
    onAnswered({
      ...{ requestId: context.get("requestId"), route, method, path },
      ...{ status: context.res.status, seconds, executionId: context.get("executionId") },
    });
  };
}

/** What every answer says: that it is what its type says and nothing to keep, and, of a node that drains, to go elsewhere. */
function answerWell(draining: AbortSignal): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    context.header("X-Content-Type-Options", "nosniff");
    context.header("Cache-Control", "no-store");
    await next();
    if (draining.aborted) context.header("Connection", "close");
  };
}

/** Reading needs no such guard: a browser shows no page what another site answered. Nor do tokens, which no browser adds. */
function refuseOtherPages(authenticator: Authenticator): MiddlewareHandler<AppEnvironment> {
  return async ({ req }, next) => {
    const isSafe = req.method === "GET" || req.method === "HEAD" || req.method === "OPTIONS";
    const from = { origin: req.header("Origin"), host: req.header("Host") };
    if (!isSafe && authenticator.isOpen && isFromElsewhere(from)) {
      const message = `answering ${req.method} ${req.path}: a page of somewhere else may not ask this of a node without tokens; give it tokens, and send one`;
      throw new ParallaxError("forbidden", message);
    }
    await next();
  };
}

/** A path that is none, a method that a path does not have, or the question which ones it has. */
function answerUnrouted(
  context: Context<AppEnvironment>,
  router: Router,
  authenticator: Authenticator,
  logger: Logger,
): Response {
  const { method, path } = context.req;
  const methods = router.methodsOf(path);
  if (methods.length > 0) context.header("Allow", [...methods, "OPTIONS"].join(", "));
  if (methods.length > 0 && method === "OPTIONS") return context.body(null, 204);
  return answerError(context, refusal(context, methods, authenticator), logger);
}

function refusal(
  { req }: Context<AppEnvironment>,
  methods: readonly string[],
  authenticator: Authenticator,
): unknown {
  const { method, path } = req;
  if (methods.length > 0) {
    const message = `answering ${method} ${path}: this path has no such method; use ${methods.join(", ")}`;
    return new ParallaxError("method_not_allowed", message);
  }
  try {
    if (path.startsWith("/api/")) authenticator.require(req.header("Authorization"), "api");
  } catch (error) {
    return error;
  }
  const message = `finding ${method} ${path}: there is no such route; see /docs`;
  return new ParallaxError("not_found", message);
}

function refuseWithoutUpgrade(_: unknown, context: Context<AppEnvironment>): never {
  context.header("Upgrade", "websocket");
  const message = "connecting an agent: this path is for WebSockets; upgrade, or use @parallax/agent";
  throw new ParallaxError("upgrade_required", message);
}
