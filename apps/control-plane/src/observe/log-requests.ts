import type { Logger } from "@parallax/core";
import type { AnsweredRequest } from "../http/app.ts";

/** Whoever asks for nonsense must not fill the log with it. */
const longestPath = 256;

/**
 * One line for each request that was answered: at `info` what somebody did to the cluster (fail over, drain, write a pattern),
 * at `debug` everything else, so that neither probes nor hundreds of executions a second bury what matters. A defect of ours has
 * a line of its own, at `error`, under the same id.
 */
export function logRequest(logger: Logger, request: AnsweredRequest): void {
  const { requestId, method, path, status, seconds, executionId } = request;
  const level = changesCluster(request) ? "info" : "debug";
  logger[level]("request", {
    ...{ requestId, method, path: path.slice(0, longestPath), status, ms: Math.round(seconds * 10_000) / 10 },
    ...(executionId === undefined ? {} : { execution: executionId }),
  });
}

function changesCluster({ method, route }: AnsweredRequest): boolean {
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return false;
  return route.startsWith("/ha/") || route.startsWith("/api/patterns");
}
