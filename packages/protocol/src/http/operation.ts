import { z } from "zod";
import type { ErrorCode } from "./error-codes.ts";

/** What an operation is given, by where in the request it stands. */
export interface OperationInput {
  /** Parts of the path. */
  readonly params?: object;
  readonly query?: object;
  readonly headers?: object;
  /** JSON. */
  readonly body?: object;
}

/** How an operation answers when it succeeds. */
export interface OperationAnswer<Answer> {
  /** The usual one. Default 200. */
  readonly status?: 202;
  /** What each status means. */
  readonly statuses: Readonly<Record<number, string>>;
  /** Undefined where the content is no JSON. */
  readonly schema?: z.ZodType<Answer> | undefined;
  /** Default `application/json`. */
  readonly contentType?: string;
}

/** The parts of the API, as its description groups them. */
export const operationTags = {
  executions: "Run patterns on agents: submit, follow, cancel.",
  patterns: "Whom to ask, how long, and what to make of the answers.",
  agents: "Who is connected, and the door through which agents come in.",
  events: "What happens in the cluster, as server-sent events.",
  cluster: "Who is in the cluster and who leads it; manual fail-over and drain.",
  operations: "Probes, metrics, and this description.",
} as const;

/**
 * One operation of the HTTP API. The server routes and checks by it, the client calls by it, and the OpenAPI description is
 * made from it: there is no second place where the API is written down.
 */
export interface Operation<Answer = unknown, Input extends OperationInput = OperationInput> {
  /** Its `operationId`. */
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT";
  /** With `{name}` for each of the input's `params`. */
  readonly path: string;
  readonly tag: keyof typeof operationTags;
  readonly summary: string;
  readonly description?: string;
  /** The role that a token needs, `admin` always being enough; undefined where none is asked for. */
  readonly role: "api" | "agent" | "admin" | undefined;
  readonly input: z.ZodType<Input>;
  readonly answer: OperationAnswer<Answer>;
  /** Codes of its own, besides those that any operation may answer with. */
  readonly errors: readonly ErrorCode[];
}

/** The input of an operation that is given nothing. */
export const noInput: z.ZodType<Record<never, never>> = z.object({ query: z.strictObject({}) });

/** The headers that operations read, as their inputs name them. */
export const inputHeaders = ["Idempotency-Key", "Last-Event-ID"] as const;

/** The path of an operation with its parameters filled in. */
export function pathOf({ path }: Pick<Operation, "path">, params: object = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(Reflect.get(params, name))),
  );
}
