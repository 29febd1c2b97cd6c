import { expect, it } from "vitest";
import { logRequest } from "../../src/observe/log-requests.ts";
import { keepingLogger } from "../support/log-lines.ts";

const answered = { requestId: "req_1", status: 200, seconds: 0.01234, executionId: undefined };

function levelOf(method: string, route: string): string | undefined {
  const { logger, lines } = keepingLogger();
  logRequest(logger, { ...answered, method, route, path: route });
  return lines[0]?.level;
}

it("writes one line a request, with its id and that of the execution that it is about", () => {
  const { logger, lines } = keepingLogger();
  logRequest(logger, {
    ...answered,
    method: "POST",
    route: "/api/executions",
    path: "/api/executions",
    status: 202,
    executionId: "exec_1",
  });
  expect(lines).toEqual([
    {
      level: "debug",
      message: "request",
      fields: {
        requestId: "req_1",
        method: "POST",
        path: "/api/executions",
        status: 202,
        ms: 12.3,
        execution: "exec_1",
      },
    },
  ]);
});

it.each([
  ["GET", "/health/live"],
  ["GET", "/metrics"],
  ["GET", "/ha/status"],
  ["POST", "/api/executions"],
  ["GET", "/api/executions/:id"],
])("%s %s is told only who asks for everything", (method, route) => {
  expect(levelOf(method, route)).toBe("debug");
});

it.each([
  ["POST", "/ha/drain"],
  ["POST", "/ha/elect"],
  ["PUT", "/api/patterns/:name"],
])("%s %s changes the cluster, and is always told", (method, route) => {
  expect(levelOf(method, route)).toBe("info");
});

it("keeps no more of a path than a person reads", () => {
  const { logger, lines } = keepingLogger();
  logRequest(logger, { ...answered, method: "GET", route: "*", path: `/${"x".repeat(10_000)}` });
  expect(String(lines[0]?.fields.path)).toHaveLength(256);
});
