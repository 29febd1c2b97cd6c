import { inputHeaders, type Operation, type OperationInput } from "@parallax/protocol";
import type { Context, Hono } from "hono";
import type { AppEnvironment } from "./app.ts";
import type { Authenticator } from "./auth.ts";
import { check, readJson } from "./input.ts";

/** What a request carries, before it is checked. */
export interface RawInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly headers: unknown;
  readonly body: unknown;
}

/** The operations that an app has, each as the protocol describes it. */
export interface Router {
  /**
   * Serves an operation: asks for its role, checks its input, and answers what `handle` returns as JSON with the status that
   * is set on the context (default: the operation's usual one), or the response that it returns as it is.
   */
  add<Answer, Input extends OperationInput>(
    operation: Operation<Answer, Input>,
    handle: (
      input: Input,
      context: Context<AppEnvironment>,
    ) => Promise<Answer | Response> | Answer | Response,
    prepare?: (input: RawInput) => RawInput,
  ): void;
  /** The methods that a path has; empty where there is no such path. */
  methodsOf(path: string): readonly string[];
}

export function createRouter(app: Hono<AppEnvironment>, authenticator: Authenticator): Router {
  const known: { readonly pattern: RegExp; readonly method: string }[] = [];

  return {
    add(operation, handle, prepare = (input) => input) {
      const { method, path, role, input, answer } = operation;
      const isOfOneExecution = path.startsWith("/api/executions/{id}");
      known.push({ method, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`) });
      app.on(method, path.replace(/\{(\w+)\}/g, ":$1"), async (context) => {
        if (role !== undefined)
          context.set("caller", authenticator.require(context.req.header("Authorization"), role));
        const given = check(input, prepare(await read(context, method !== "GET")), "the request");
        if (isOfOneExecution) context.set("executionId", context.req.param("id"));
        if (answer.status !== undefined) context.status(answer.status);
        const result = await handle(given, context);
        return result instanceof Response ? named(result, context) : context.json(result);
      });
    },
    methodsOf(path) {
      const methods = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
      return methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    },
  };
}

/** A response that is made elsewhere carries what every answer does. */
function named(response: Response, context: Context<AppEnvironment>): Response {
  response.headers.set("X-Request-Id", context.get("requestId"));
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

async function read(context: Context<AppEnvironment>, hasBody: boolean): Promise<RawInput> {
  const { req } = context;
  return {
    params: req.param(),
    query: queryOf(context),
    headers: Object.fromEntries(inputHeaders.map((name) => [name, req.header(name)])),
    body: hasBody ? await readJson(context) : undefined,
  };
}

/** A parameter that is given twice stays a list, which no schema takes: it must not be left to chance which one counts. */
function queryOf({ req }: Context): unknown {
  const entries = Object.entries(req.queries());
  return Object.fromEntries(
    entries.map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
