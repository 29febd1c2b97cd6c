import type { Execution, HaStatus } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { createClient } from "../src/index.ts";
import type { FetchedAnswer } from "../src/options.ts";
import { deadUrl, reply, startServer } from "./scripted-server.ts";

const at = "2024-01-15T10:30:00.000Z";

const execution: Execution = {
  id: "exec_a",
  status: "running",
  pattern: "content-classifier",
  input: null,
  nodeId: "node-1",
  attempts: 1,
  tasks: [],
  createdAt: at,
  startedAt: at,
};

const completed: Execution = { ...execution, status: "completed", result: "MIT", finishedAt: at };
const status: HaStatus = { clusterId: "test", members: [], observedAt: at, nodeId: "node-1", enabled: true };
const change = { oldLeader: "node-1", newLeader: "node-2", tookMs: 12 };

function errorBody(code: string, details?: object): object {
  return { error: { code, message: "doing it: don't", details }, requestId: "req-1" };
}

describe("a call", () => {
  it("carries the token and goes to the path of the API, under the path of the address", async () => {
    await using server = await startServer((_, response) => reply(response, 200, status));
    const client = createClient({ url: `${server.url}/base/`, token: async () => "secret" });
    expect(await client.haStatus()).toEqual(status);
    expect(server.seen[0]).toMatchObject({
      method: "GET",
      path: "/base/ha/status",
      headers: { authorization: "Bearer secret" },
    });
  });

  it("throws the server's own error, with status and request id", async () => {
    const body = errorBody("execution_not_found", { id: "exec_a" });
    await using server = await startServer((_, response) => reply(response, 404, body));
    await expect(createClient({ url: server.url }).executions.get("exec_a")).rejects.toMatchObject({
      code: "execution_not_found",
      message: "doing it: don't",
      details: { id: "exec_a", status: 404, requestId: "req-1" },
    });
  });

  it("throws http_error for an answer of someone else", async () => {
    await using server = await startServer((_, response) => response.writeHead(404).end("<html>"));
    await expect(createClient({ url: server.url }).haStatus()).rejects.toMatchObject({ code: "http_error" });
  });

  it("throws invalid_response for an answer of another version", async () => {
    await using server = await startServer((_, response) => reply(response, 200, { members: "many" }));
    await expect(createClient({ url: server.url }).haStatus()).rejects.toMatchObject({
      code: "invalid_response",
    });
  });

  it("throws unreachable, with the reason, when no address answers", async () => {
    const url = await deadUrl();
    await expect(createClient({ url, retries: 0 }).haStatus()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/ECONNREFUSED/),
      details: { urls: [url] },
    });
  });

  it("throws timeout when the answer stays away, and aborted when its signal says so", async () => {
    await using server = await startServer(() => {});
    const client = createClient({ url: server.url, timeout: 100, retries: 0 });
    await expect(client.stepDown({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      code: "aborted",
    });
    const never = createClient({ url: server.url, timeout: 90 });
    await expect(never.haStatus()).rejects.toMatchObject({
      code: expect.stringMatching(/timeout|unreachable/),
    });
  });

  it.each(["ftp://host", "host:8080", "", "http://"])("is not made to %j", (url) => {
    expect(() => createClient({ url })).toThrow(expect.objectContaining({ code: "invalid_url" }));
  });
});

describe("with several addresses, a call", () => {
  it("goes to the next one, and stays there", async () => {
    await using server = await startServer((_, response) => reply(response, 200, status));
    const client = createClient({ url: [await deadUrl(), server.url], retries: 0 });
    await client.haStatus();
    await client.haStatus();
    expect(server.seen).toHaveLength(2);
  });

  it("leaves a node that says that it is busy", async () => {
    await using busy = await startServer((_, response) => reply(response, 503, errorBody("draining")));
    await using free = await startServer((_, response) => reply(response, 200, status));
    const client = createClient({ url: [busy.url, free.url], retries: 0 });
    expect(await client.haStatus()).toEqual(status);
  });

  it("leaves a node that hangs before its time is up", async () => {
    await using hung = await startServer(() => {});
    await using free = await startServer((_, response) => reply(response, 200, status));
    const client = createClient({ url: [hung.url, free.url], timeout: 1_500 });
    expect(await client.haStatus()).toEqual(status);
  });

  it("leaves no answer unread, which would keep its connection, and a program, waiting", async () => {
    const read: string[] = [];
    const busy = (url: string): FetchedAnswer => ({
      ok: false,
      status: 503,
      headers: { get: () => null },
      body: null,
      text: async () => {
        read.push(url);
        return JSON.stringify(errorBody("not_ready"));
      },
    });
    const client = createClient({
      url: ["http://a", "http://b"],
      retries: 1,
      fetch: async (url) => busy(url),
    });
    await expect(client.haStatus()).rejects.toMatchObject({ code: "not_ready" });
    expect(read).toEqual(["http://a", "http://b", "http://a", "http://b"].map((url) => `${url}/ha/status`));
  });

  it("gives the busy answer when all are busy", async () => {
    await using busy = await startServer((_, response) => reply(response, 503, errorBody("redis_away")));
    const client = createClient({ url: [busy.url, busy.url], retries: 1 });
    await expect(client.haStatus()).rejects.toMatchObject({ code: "redis_away" });
    expect(busy.seen).toHaveLength(4);
  });

  it("that changes the leader is made once: what became of a lost answer is unknown", async () => {
    await using broken = await startServer(({ path }, response, request) =>
      path === "/health/live" ? reply(response, 200, { status: "pass" }) : request.socket.destroy(),
    );
    await using other = await startServer((_, response) => reply(response, 200, change));
    const client = createClient({ url: [broken.url, other.url] });
    await expect(client.stepDown()).rejects.toMatchObject({ code: "unreachable" });
    expect(broken.seen.map(({ path }) => path)).toEqual(["/health/live", "/ha/stepdown"]);
    expect(other.seen).toEqual([]);
  });

  it("that changes the leader is not left with a node that hangs, which would do it when nobody waits any more", async () => {
    await using hung = await startServer(() => {});
    await using other = await startServer((_, response) => reply(response, 200, change));
    const client = createClient({ url: [hung.url, other.url] });
    expect(await client.stepDown()).toEqual(change);
    expect(hung.seen.map(({ path }) => path)).toEqual(["/health/live"]);
  });

  it("that changes the leader goes to the next one only if it certainly reached no one", async () => {
    await using other = await startServer((_, response) => reply(response, 200, change));
    const client = createClient({ url: [await deadUrl(), other.url] });
    expect(await client.elect({ force: true })).toEqual(change);
    expect(other.seen[0]).toMatchObject({ path: "/ha/elect", body: { force: true } });
  });
});

describe("a submission", () => {
  it("always carries an idempotency key, a new one each time", async () => {
    await using server = await startServer((_, response) => reply(response, 202, execution));
    const client = createClient({ url: server.url });
    await client.executions.submit({ pattern: "content-classifier", input: { content: "x" } });
    await client.executions.submit({ pattern: "content-classifier" });
    const [first, second] = server.seen;
    expect(first?.body).toEqual({ pattern: "content-classifier", input: { content: "x" }, options: {} });
    expect(first?.headers["idempotency-key"]).toMatch(/^idem_/);
    expect(second?.headers["idempotency-key"]).not.toBe(first?.headers["idempotency-key"]);
  });

  it("is repeated under the same key when its answer is lost", async () => {
    let times = 0;
    await using server = await startServer((_, response, request) => {
      times += 1;
      if (times === 1) request.socket.destroy();
      else reply(response, 202, execution);
    });
    await createClient({ url: server.url }).executions.submit({ pattern: "content-classifier" });
    const keys = server.seen.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });
});

describe("a run", () => {
  it("waits for the end, asking again under its key when a node ends the wait early", async () => {
    await using server = await startServer((_, response) =>
      reply(response, server.seen.length < 3 ? 202 : 200, server.seen.length < 3 ? execution : completed),
    );
    const client = createClient({ url: server.url });
    expect(await client.executions.run({ pattern: "content-classifier" })).toEqual(completed);
    expect(new Set(server.seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    expect(server.seen.every(({ path }) => /^\/api\/executions\?wait=\d+ms$/.test(path))).toBe(true);
  });

  it("survives the loss of every node for a while, once it is accepted", async () => {
    let times = 0;
    await using server = await startServer((_, response, request) => {
      times += 1;
      if (times === 1) reply(response, 202, execution);
      else if (times < 4) request.socket.destroy();
      else if (times === 4) reply(response, 503, errorBody("not_ready"));
      else reply(response, 200, completed);
    });
    const client = createClient({ url: server.url, retries: 0 });
    expect(await client.executions.run({ pattern: "content-classifier" })).toEqual(completed);
  });

  it("that takes too long names the execution, which goes on", async () => {
    await using server = await startServer((_, response) => reply(response, 202, execution));
    const run = createClient({ url: server.url }).executions.run({
      pattern: "content-classifier",
      timeout: 50,
    });
    await expect(run).rejects.toMatchObject({ code: "timeout", details: { executionId: "exec_a" } });
  });

  it("that was not accepted throws why", async () => {
    await using server = await startServer((_, response) =>
      reply(response, 404, errorBody("pattern_not_found")),
    );
    const run = createClient({ url: server.url }).executions.run({ pattern: "none" });
    await expect(run).rejects.toMatchObject({ code: "pattern_not_found" });
  });
});

describe("lists", () => {
  it("come page by page, or as one", async () => {
    await using server = await startServer(({ path }, response) =>
      path.includes("cursor=next")
        ? reply(response, 200, { executions: [completed] })
        : reply(response, 200, { executions: [execution], cursor: "next" }),
    );
    const client = createClient({ url: server.url });
    const ids: string[] = [];
    for await (const { status: state } of client.executions.all({ status: "running", limit: 1 }))
      ids.push(state);
    expect(ids).toEqual(["running", "completed"]);
    expect(server.seen.map(({ path }) => path)).toEqual([
      "/api/executions?status=running&limit=1",
      "/api/executions?status=running&limit=1&cursor=next",
    ]);
  });
});

describe("the other calls", () => {
  it("go where the API has them", async () => {
    const pattern = { name: "p", capabilities: ["a"], aggregate: { strategy: "first" } } as const;
    const full = { ...pattern, agents: { min: 1, max: 1 }, retries: 0, hash: "h" };
    await using server = await startServer(({ path }, response) => {
      if (path.startsWith("/api/executions")) reply(response, 200, execution);
      else if (path === "/api/patterns?limit=1000")
        reply(response, 200, { patterns: [{ ...full, name: "q" }], cursor: "next" });
      else if (path === "/api/patterns?limit=1000&cursor=next") reply(response, 200, { patterns: [full] });
      else if (path.startsWith("/api/patterns")) reply(response, 200, full);
      else if (path.startsWith("/api/agents?")) reply(response, 200, { agents: [] });
      else if (path === "/ha/drain") reply(response, 202, { nodeId: "node-2", drainTimeoutMs: 30_000 });
      else reply(response, 503, { status: "fail" });
    });
    const client = createClient({ url: server.url });
    await client.executions.cancel("exec_a");
    await client.executions.retry("exec_a", { idempotencyKey: "again" });
    expect(await client.patterns.list()).toEqual([full, { ...full, name: "q" }]);
    expect(await client.patterns.get("p")).toEqual(full);
    await client.patterns.put(pattern);
    await client.agents.list({ capability: "a" });
    await client.drain({ node: "node-2" });
    expect(await client.health({ probe: "ready" })).toEqual({ status: "fail" });
    expect(server.seen[1]?.headers["idempotency-key"]).toBe("again");
    expect(server.seen.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["POST", "/api/executions/exec_a/cancel", undefined],
      ["POST", "/api/executions/exec_a/retry", undefined],
      ["GET", "/api/patterns?limit=1000", undefined],
      ["GET", "/api/patterns?limit=1000&cursor=next", undefined],
      ["GET", "/api/patterns/p", undefined],
      ["PUT", "/api/patterns/p", { ...pattern, agents: { min: 1, max: 1 }, retries: 0 }],
      ["GET", "/api/agents?capability=a", undefined],
      ["POST", "/ha/drain", { node: "node-2" }],
      ["GET", "/health/ready", undefined],
    ]);
  });
});
