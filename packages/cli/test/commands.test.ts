import type { ServerResponse } from "node:http";
import type { Agent, Execution, HaStatus } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import { parallax, refusal, serve } from "./harness.ts";

const at = "2024-01-15T10:30:00.000Z";

const status: HaStatus = {
  clusterId: "production",
  members: [{ id: "node-1", address: "10.0.0.1:8080", role: "leader", status: "healthy", lastHeartbeat: at }],
  observedAt: "2024-01-15T10:30:02.000Z",
  nodeId: "node-1",
  enabled: true,
};

const execution: Execution = {
  id: "exec_a",
  status: "completed",
  pattern: "content-classifier",
  input: null,
  result: { label: "MIT" },
  nodeId: "node-1",
  attempts: 1,
  tasks: [{ id: "exec_a:0", status: "completed", attempt: 1, agentId: "agent_a", result: "MIT" }],
  createdAt: at,
  startedAt: at,
  finishedAt: at,
  redisKey: "parallax:execution:exec_a",
};

const agent: Agent = {
  id: "agent_a",
  name: "classifier-1",
  status: "connected",
  nodeId: "node-1",
  capabilities: ["classification", "analysis"],
  maxConcurrentTasks: 4,
  tasks: ["exec_a:0"],
  metadata: {},
  connectedAt: at,
};

describe("ha status", () => {
  it("prints the table", async () => {
    await using server = await serve({ "/ha/status": status });
    const ran = await parallax(["ha", "status", "--url", server.url]);
    expect(ran.out.split("\n").at(-1)).toBe("node-1  healthy   leader    2s ago");
  });

  it("prints the answer as one line of JSON", async () => {
    await using server = await serve({ "/ha/status": status });
    const ran = await parallax(["ha", "status", "--json", "--url", server.url]);
    expect(JSON.parse(ran.out)).toEqual(status);
    expect(ran.out).not.toContain("\n");
  });

  it("has colours on a terminal only, and only where they are wanted", async () => {
    await using server = await serve({ "/ha/status": status });
    const args = ["ha", "status", "--url", server.url];
    const colour = "\u001b[";
    expect((await parallax(args)).out).not.toContain(colour);
    expect((await parallax(args, { isTty: true })).out).toContain(colour);
    expect((await parallax(args, { isTty: true, env: { NO_COLOR: "1" } })).out).not.toContain(colour);
  });

  it("--watch looks again until it is interrupted, also while nobody answers", async () => {
    const controller = new AbortController();
    await using server = await serve({
      "/ha/status": (response: ServerResponse) => {
        if (server.seen.length === 1) response.writeHead(500).end();
        else response.writeHead(200).end(JSON.stringify(status));
        if (server.seen.length === 3) controller.abort();
      },
    });
    const ran = await parallax(["ha", "status", "--watch", "--url", server.url], {
      signal: controller.signal,
    });
    expect(ran.code).toBe(0);
    expect(server.seen).toHaveLength(3);
    expect(ran.err).toContain("(http_error)");
    expect(ran.out).toContain("Cluster: production");
  });
});

describe("a change of leader", () => {
  const change = { oldLeader: "node-1", newLeader: "node-2", tookMs: 412 };

  it("by ha stepdown prints the old and the new leader, and the time it took", async () => {
    await using server = await serve({ "/ha/stepdown": change });
    const ran = await parallax(["ha", "stepdown", "--url", server.url]);
    expect(ran).toEqual({ code: 0, out: "Old leader: node-1\nNew leader: node-2\nTook: 412ms", err: "" });
  });

  it("by ha elect is forced only when it is told to", async () => {
    await using server = await serve({ "/ha/elect": { ...change, oldLeader: null } });
    const ran = await parallax(["ha", "elect", "--url", server.url]);
    await parallax(["ha", "elect", "--force", "--url", server.url]);
    expect(ran.out).toContain("Old leader: none");
    expect(server.seen.map(({ body }) => body)).toEqual([{ force: false }, { force: true }]);
  });
});

describe("ha drain", () => {
  it("drains the node that answers, or the one that is named", async () => {
    await using server = await serve({ "/ha/drain": { nodeId: "node-1", drainTimeoutMs: 30_000 } });
    const ran = await parallax(["ha", "drain", "--url", server.url]);
    await parallax(["ha", "drain", "node-2", "--url", server.url]);
    expect(ran.out).toBe("Draining node-1: it stops within 30s");
    expect(server.seen.map(({ body }) => body)).toEqual([{}, { node: "node-2" }]);
  });

  it("--wait waits until the node has left, however often that is looked at", async () => {
    const drained = { nodeId: "node-1", drainTimeoutMs: 30_000 };
    await using server = await serve({
      "/ha/drain": drained,
      "/ha/status": (response: ServerResponse) => {
        const looks = server.seen.filter(({ path }) => path === "/ha/status").length;
        const members = looks < 2 ? status.members : [];
        response.writeHead(200).end(JSON.stringify({ ...status, members }));
      },
    });
    const shown: string[] = [];
    const io = { progress: (line?: string) => void shown.push(line ?? "") };
    const ran = await parallax(["ha", "drain", "node-1", "--wait", "--url", server.url], io);
    expect([ran.code, ran.out]).toEqual([0, "Drained node-1: it has left the cluster"]);
    expect(shown.at(-1), "the line is taken away").toBe("");
    const json = await parallax(["ha", "drain", "node-1", "--wait", "--json", "--url", server.url]);
    expect(JSON.parse(json.out)).toEqual(drained);
  });
});

describe("run", () => {
  it("prints the result, as JSON that another program can read", async () => {
    await using server = await serve({ "/api/executions": execution });
    const args = ["run", "content-classifier", "--input", '{"content":"x"}', "--timeout", "5s"];
    const ran = await parallax([...args, "--url", server.url]);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toEqual({ label: "MIT" });
    expect(server.seen[0]?.body).toEqual({
      pattern: "content-classifier",
      input: { content: "x" },
      options: { timeout: "5s" },
    });
  });

  it("reads its input from a file or from standard input", async () => {
    await using server = await serve({ "/api/executions": execution });
    const io = { readStdin: async () => "[1]", readFile: async (path: string) => JSON.stringify(path) };
    await parallax(["run", "p", "--input", "-", "--url", server.url], io);
    await parallax(["run", "p", "--input", "@in.json", "--url", server.url], io);
    expect(server.seen.map(({ body }) => body)).toMatchObject([
      { input: [1] },
      { input: [1] },
      { input: "in.json" },
      { input: "in.json" },
    ]);
  });

  it("fails when the execution does, and says why", async () => {
    const error = { code: "timeout", message: "running the execution: no agent answered" };
    await using server = await serve({ "/api/executions": { ...execution, status: "failed", error } });
    const ran = await parallax(["run", "p", "--url", server.url]);
    expect([ran.code, ran.out]).toEqual([1, ""]);
    expect(ran.err).toContain(
      "running exec_a: it was failed: running the execution: no agent answered (timeout)",
    );
  });

  it("prints the whole execution as JSON, a failed one too", async () => {
    const failed = { ...execution, status: "failed" };
    await using server = await serve({ "/api/executions": failed });
    const ran = await parallax(["run", "p", "--json", "--url", server.url]);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.out)).toEqual(failed);
  });

  it("shows on a terminal how far it is, and nothing of it elsewhere", async () => {
    const running = {
      ...execution,
      status: "running",
      tasks: [{ ...execution.tasks[0], status: "assigned" }],
    };
    let end = (): void => {};
    await using server = await serve({
      "/api/executions": (response: ServerResponse) => {
        const answer = (value: object): void => void response.writeHead(200).end(JSON.stringify(value));
        if (server.seen.length === 1) answer(running);
        else end = () => answer(execution);
      },
      "/api/executions/exec_a": running,
    });
    const shown: (string | undefined)[] = [];
    const progress = (line?: string): void => {
      shown.push(line);
      if (line !== undefined) end();
    };
    const ran = await parallax(["run", "p", "--url", server.url], { progress });
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(shown[0]).toMatch(/^exec_a running: 0 of 1 task \(\d+s?\)$/);
    expect(shown.at(-1)).toBeUndefined();
  });

  it("does not wait when it is told not to", async () => {
    await using server = await serve({ "/api/executions": { ...execution, status: "pending" } });
    const ran = await parallax(["run", "p", "--no-wait", "--url", server.url]);
    expect([ran.code, ran.out]).toEqual([0, "exec_a"]);
    expect(server.seen).toHaveLength(1);
  });
});

describe("executions", () => {
  it("lists the newest, with filters", async () => {
    await using server = await serve({ "/api/executions": { executions: [execution] } });
    const args = [
      "executions",
      "--status",
      "completed",
      "--node",
      "node-1",
      "--pattern",
      "p",
      "--limit",
      "5",
    ];
    const ran = await parallax([...args, "--url", server.url]);
    expect(ran.out.split("\n")).toEqual([
      "Id      Status     Pattern             Node    Created",
      "exec_a  completed  content-classifier  node-1  2024-01-15 10:30:00",
    ]);
    expect(server.seen[0]?.path).toBe("/api/executions?limit=5&status=completed&node=node-1&pattern=p");
  });

  it("says so when there are none", async () => {
    await using server = await serve({ "/api/executions": { executions: [] } });
    expect((await parallax(["executions", "--url", server.url])).out).toBe("No executions");
  });

  it("shows one with the key of its record in Redis", async () => {
    await using server = await serve({ "/api/executions/exec_a": execution });
    const ran = await parallax(["executions", "exec_a", "--url", server.url]);
    expect(ran.out.split("\n")).toEqual([
      "Id: exec_a",
      "Status: completed",
      "Pattern: content-classifier",
      "Node: node-1",
      "Created: 2024-01-15 10:30:00",
      "Started: 2024-01-15 10:30:00",
      "Finished: 2024-01-15 10:30:00",
      'Result: {"label":"MIT"}',
      "Redis key: parallax:execution:exec_a",
      "",
      "Task      Status     Attempt  Agent    Result",
      'exec_a:0  completed  1        agent_a  "MIT"',
    ]);
  });

  it("fails for one that is not there", async () => {
    await using server = await serve({
      "/api/executions/exec_b": refusal("execution_not_found", "no such one"),
    });
    const ran = await parallax(["executions", "exec_b", "--url", server.url]);
    expect([ran.code, ran.err]).toEqual([1, "parallax: no such one (execution_not_found)"]);
  });
});

describe("agents", () => {
  it("lists who can what, and where", async () => {
    await using server = await serve({ "/api/agents": { agents: [agent] } });
    const ran = await parallax(["agents", "--capability", "analysis", "--url", server.url]);
    expect(ran.out.split("\n")[1]).toBe(
      "agent_a  classifier-1  connected  node-1  1/4    classification,analysis  2024-01-15 10:30:00",
    );
    expect(server.seen[0]?.path).toBe("/api/agents?limit=100&capability=analysis");
  });
});

describe("events", () => {
  const joined = { topic: "cluster", type: "member-joined", at, member: "node-2", version: 4 };

  function stream(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`event: event\nid: c1\ndata: ${JSON.stringify(joined)}\n\n`);
    response.write(`event: gap\nid: c2\ndata: {"topic":"agent","reason":"trimmed"}\n\n`);
    response.write(
      `event: snapshot\nid: c3\ndata: ${JSON.stringify({ ...execution, status: "running" })}\n\n`,
    );
  }

  it("are lines, and without --follow end with the silence", async () => {
    await using server = await serve({ "/api/events": stream });
    const ran = await parallax(["events", "--topics", "cluster,agent", "--url", server.url]);
    expect(ran.code).toBe(0);
    expect(ran.out.split("\n")).toEqual([
      `${at} cluster member-joined member=node-2 version=4`,
      "gap: some events of agent are missing (trimmed)",
      "exec_a is running",
    ]);
    expect(server.seen[0]?.path).toBe("/api/events?topics=cluster%2Cagent");
  });

  it("are lines of JSON with their cursors", async () => {
    await using server = await serve({ "/api/events": stream });
    const ran = await parallax(["events", "--json", "--url", server.url]);
    expect(ran.out.split("\n").map((line) => JSON.parse(line).cursor)).toEqual(["c1", "c2", "c3"]);
  });

  it("go on until they are interrupted", async () => {
    const controller = new AbortController();
    await using server = await serve({ "/api/events": stream });
    const running = parallax(["events", "--follow", "--url", server.url], { signal: controller.signal });
    await expect.poll(() => server.seen.length).toBe(1);
    controller.abort();
    expect((await running).code).toBe(0);
  });

  it("that nobody tells of are no silence", async () => {
    for (const args of [[], ["--follow"]]) {
      const ran = await parallax(["events", ...args, "--url", "http://127.0.0.1:1"]);
      expect(ran.code).toBe(3);
      expect(ran.err).toContain("no answer from http://127.0.0.1:1");
    }
  });

  it("of an execution end with it", async () => {
    await using server = await serve({
      "/api/executions/exec_a/events": (response: ServerResponse) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(`event: snapshot\nid: 1\ndata: ${JSON.stringify(execution)}\n\n`);
      },
    });
    const ran = await parallax(["events", "--follow", "--execution", "exec_a", "--url", server.url]);
    expect([ran.code, ran.out]).toEqual([0, "exec_a is completed"]);
  });
});
