import { type Clock, type Logger, ParallaxError, randomId } from "@parallax/core";
import type { Exposition } from "@parallax/metrics";
import { Hono, type MiddlewareHandler } from "hono";
import type { Role } from "../config/schema.ts";
import type { Catalog } from "../executions/catalog.ts";
import type { HighAvailability } from "../high-availability.ts";
import { type ClusterMetrics, passedOnHeader } from "../observe/cluster-metrics.ts";
import type { Patterns } from "../patterns/registry.ts";
import { type AgentRoutesOptions, agentRoutes } from "./agents.ts";
import type { Authenticator, Caller } from "./auth.ts";
import { answerError } from "./errors.ts";
import { type EventRoutesOptions, eventRoutes } from "./events.ts";
import { type ExecutionRoutesOptions, executionRoutes } from "./executions.ts";
import { haRoutes } from "./ha.ts";
import { limitBody } from "./input.ts";
import { patternRoutes } from "./patterns.ts";

/** What the middleware puts into a request's context. */
export interface AppEnvironment {
  readonly Variables: { requestId: string; caller: Caller; maxBodyBytes: number };
}

/** One request that was answered. `route` is the pattern of its path, so that metrics stay bounded. */
export interface AnsweredRequest {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

export interface AppOptions extends ExecutionRoutesOptions, AgentRoutesOptions, EventRoutesOptions {
  readonly catalog: Catalog;
  readonly authenticator: Authenticator;
  readonly ha: HighAvailability;
  readonly patterns: Patterns;
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  /** `/health`, `/health/live`, `/health/ready` */
  readonly health: (request: Request) => Response | Promise<Response>;
  /** `/metrics`, in the format that `Accept` asks for. */
  readonly metrics: (accept: string | undefined) => Promise<Exposition>;
  /** `/metrics/cluster` */
  readonly clusterMetrics: ClusterMetrics["expose"];
  readonly onAnswered: (request: AnsweredRequest) => void;
}

/** The HTTP API of a node. */
export function createApp(options: AppOptions): Hono<AppEnvironment> {
  const { authenticator, logger, maxBodyBytes } = options;
  const app = new Hono<AppEnvironment>();

  app.use(requestId, observe(options.clock, options.onAnswered));
  app.onError((error, context) => answerError(context, error, logger));
  app.notFound((context) => answerError(context, notFound(context.req.method, context.req.path), logger));

  app.get("/health/*", (context) => options.health(context.req.raw));
  app.get("/health", (context) => options.health(context.req.raw));
  app.get("/metrics", async ({ req }) => answerText(await options.metrics(req.header("Accept"))));
  app.get("/metrics/cluster", async ({ req }) => {
    const passedOn = req.header(passedOnHeader) !== undefined;
    return answerText(await options.clusterMetrics({ accept: req.header("Accept"), passedOn }));
  });

  app.use("/api/*", limitBody(maxBodyBytes));
  app.use("/ha/*", limitBody(64 * 1024));
  app.use(
    "/api/*",
    require(authenticator, ({ method, path }) =>
      method === "PUT" && path.startsWith("/api/patterns/") ? "admin" : "api"),
  );
  app.use(
    "/ha/*",
    require(authenticator, ({ method }) => (method === "GET" || method === "HEAD" ? undefined : "admin")),
  );

  app.route("/api/executions", executionRoutes(options));
  app.route("/api/agents", agentRoutes(options));
  app.route("/api/patterns", patternRoutes(options.patterns));
  app.route("/api", eventRoutes(options));
  app.route("/ha", haRoutes(options.ha));
  return app;
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
    onAnswered({
      route: context.req.routePath,
      method: context.req.method,
      status: context.res.status,
      seconds,
    });
  };
}

/** Lets only callers with the role pass; undefined lets everybody pass. */
function require(
  authenticator: Authenticator,
  roleFor: (request: { readonly method: string; readonly path: string }) => Role | undefined,
): MiddlewareHandler<AppEnvironment> {
  return async (context, next) => {
    const role = roleFor(context.req);
    if (role !== undefined)
      context.set("caller", authenticator.require(context.req.header("Authorization"), role));
    await next();
  };
}

function answerText({ body, contentType }: Exposition): Response {
  return new Response(body, { headers: { "Content-Type": contentType } });
}

function notFound(method: string, path: string): ParallaxError {
  return new ParallaxError(
    "not_found",
    `finding ${method} ${path}: there is no such route; see the API's description`,
  );
}
