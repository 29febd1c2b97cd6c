import {
  agentPageSchema,
  agentSchema,
  type Execution,
  executionPageSchema,
  executionSchema,
  haStatusSchema,
  healthSchema,
  patternListSchema,
  patternSchema,
} from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { type Answer, call, errorOf, exactly } from "../support/requests.ts";

/** The contract's routes, with their shapes, as any client sees them. */
describe("the HTTP API of a node", () => {
  let nodes: LocalNodes;
  let url: string;
  /** Whatever an agent holds until the test lets go of it. */
  let release: () => void;

  beforeAll(async () => {
    nodes = await startNodes(2);
    url = nodes.node(0).url;
    const client = nodes.client(0);
    await client.patterns.put(workPattern("echo"));
    await client.patterns.put(workPattern("echo-by-number", { inputSchema: { type: "number" } }));
    await client.patterns.put(workPattern("hold", { capabilities: ["holding"], timeout: "30s" }));
    await client.patterns.put(workPattern("nobody", { capabilities: ["nothing"], timeout: "100ms" }));
    await nodes.agent({
      at: 0,
      name: "echo",
      slots: 4,
      handler: async ({ input }) => ({ result: input, confidence: 0.9 }),
    });
    const held = new Promise<void>((resolve) => (release = resolve));
    await nodes.agent({
      at: 1,
      name: "holder",
      capability: "holding",
      slots: 50,
      async handler(_, { signal }) {
        await Promise.race([held, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
        return { result: "held" };
      },
    });
  });
  afterAll(async () => {
    release();
    await nodes.stop();
  });

  const post = (
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> => call(`${url}${path}`, { method: "POST", body, headers });
  const execution = ({ body }: Answer): Execution => exactly(executionSchema, body);
  async function submitted(pattern: string, input: unknown = null): Promise<Execution> {
    return execution(await post("/api/executions", { pattern, input }));
  }
  async function running(): Promise<Execution> {
    const { id } = await submitted("hold");
    return eventually(async () => {
      const found = execution(await call(`${url}/api/executions/${id}`));
      return found.status === "running" && found;
    });
  }

  describe("of the node itself", () => {
    it.each(["/health", "/health/live", "/health/ready"])("GET %s", async (path) => {
      const { status, headers, body } = await call(`${url}${path}`);
      expect(status).toBe(200);
      expect(headers.get("Content-Type")).toContain("application/health+json");
      expect(healthSchema.parse(body)).toMatchObject({ status: "pass", serviceId: "node-0" });
    });

    it("GET /metrics, in the format of Prometheus, with the contract's five figures", async () => {
      await submitted("echo");
      const { status, headers, text } = await call(`${url}/metrics`);
      expect(status).toBe(200);
      expect(headers.get("Content-Type")).toMatch(/^text\/plain/);
      expect(text).toMatch(/^parallax_ha_is_leader\{node="node-0"\} [01]$/m);
      for (const name of [
        "parallax_ha_cluster_members",
        "parallax_ha_healthy_members",
        "parallax_ha_elections_total",
        'parallax_ha_sync_latency_seconds{quantile="0.99"}',
      ])
        expect(text).toContain(`\n${name}`);
      expect(text, "routes, not paths: they stay bounded").not.toMatch(/exec_\w+/);
    });

    it("GET /ha/status", async () => {
      const status = exactly(haStatusSchema, (await call(`${url}/ha/status`)).body);
      expect(status).toMatchObject({ clusterId: "default", nodeId: "node-0" });
      expect(status.members.map(({ id }) => id)).toEqual(["node-0", "node-1"]);
      expect(status.members.map(({ role }) => role).sort()).toEqual(["leader", "standby"]);
      for (const member of status.members) {
        expect(member.status).toBe("healthy");
        expect(Date.parse(member.lastHeartbeat)).toBeLessThanOrEqual(Date.parse(status.observedAt));
      }
    });
  });

  describe("of executions", () => {
    it("POST answers 202 with the execution and where it is", async () => {
      const answer = await post("/api/executions", { pattern: "echo", input: { a: 1 } });
      expect(answer.status).toBe(202);
      const { id, ...rest } = execution(answer);
      expect(rest).toMatchObject({ status: "pending", pattern: "echo", input: { a: 1 }, nodeId: "node-0" });
      expect(answer.headers.get("Location")).toBe(`/api/executions/${id}`);
    });

    it("POST with ?wait answers 200 with the result", async () => {
      const answer = await post("/api/executions?wait=10s", { pattern: "echo", input: { a: 1 } });
      expect(answer.status).toBe(200);
      const found = execution(answer);
      expect(found).toMatchObject({ status: "completed", result: { a: 1 }, attempts: 1 });
      expect(found.tasks).toEqual([
        {
          id: `${found.id}:0`,
          status: "completed",
          attempt: 1,
          agentId: expect.stringMatching(/^agent_/),
          result: { a: 1 },
          confidence: 0.9,
        },
      ]);
    });

    it("POST with ?wait answers 202 when the time is over", async () => {
      const answer = await post("/api/executions?wait=50ms", { pattern: "hold" });
      expect(answer.status).toBe(202);
      expect(["pending", "running"]).toContain(execution(answer).status);
    });

    it("POST takes options for this one execution", async () => {
      const body = { pattern: "nobody", options: { timeout: "20ms" } };
      const answer = await post("/api/executions?wait=5s", body);
      expect(execution(answer)).toMatchObject({ status: "failed", error: { code: "no_agents" } });
    });

    it("POST under one Idempotency-Key makes one execution, on whichever node", async () => {
      const body = { pattern: "echo", input: "once" };
      const headers = { "Idempotency-Key": "key-1" };
      const first = execution(await post("/api/executions", body, headers));
      const [again, elsewhere] = await Promise.all(
        nodes.urls.map((each) => call(`${each}/api/executions?wait=5s`, { body, headers })),
      );
      for (const answer of [again, elsewhere]) {
        expect(answer?.status).toBe(200);
        expect(exactly(executionSchema, answer?.body)).toMatchObject({ id: first.id, result: "once" });
      }
      expect(again?.headers.get("Idempotent-Replayed")).toBe("true");
      const other = await post("/api/executions", { pattern: "echo", input: "twice" }, headers);
      expect(errorOf(other, 422)).toMatchObject({
        code: "idempotency_key_reused",
        details: { executionId: first.id },
      });
    });

    it("GET answers one of them on any node", async () => {
      const { id } = await submitted("echo", 7);
      const [here, there] = await Promise.all(
        nodes.urls.map((each) =>
          eventually(async () => {
            const found = exactly(executionSchema, (await call(`${each}/api/executions/${id}`)).body);
            return found.status === "completed" && found;
          }),
        ),
      );
      expect(here).toEqual(there);
      expect(errorOf(await call(`${url}/api/executions/exec_none`), 404).code).toBe("execution_not_found");
    });

    it("GET lists them by status, node and pattern, page by page, the same on any node", async () => {
      for (let index = 0; index < 5; index += 1)
        await nodes.client(0).executions.run({ pattern: "echo-by-number", input: index });
      const query = "status=completed&node=node-0&pattern=echo-by-number&limit=2";
      const ids: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        // Each page from another node: a cursor is good for all.
        const base = `${nodes.node(pages % 2).url}/api/executions?${query}`;
        const page = exactly(
          executionPageSchema,
          (await call(cursor === undefined ? base : `${base}&cursor=${encodeURIComponent(cursor)}`)).body,
        );
        for (const found of page.executions) ids.push(found.id);
        cursor = page.cursor;
        pages += 1;
      } while (cursor !== undefined);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toHaveLength(5);
      expect(pages).toBeGreaterThan(2);
    });

    it("GET lists all patterns, page by page, the same on any node", async () => {
      const names: string[] = [];
      let path = "/api/patterns?limit=2";
      for (let pages = 0; path !== ""; pages += 1) {
        const { body } = await call(`${nodes.node(pages % 2).url}${path}`);
        const page = exactly(patternListSchema, body);
        names.push(...page.patterns.map(({ name }) => name));
        path = page.cursor === undefined ? "" : `/api/patterns?limit=2&cursor=${page.cursor}`;
      }
      const known = await nodes.client(0).patterns.list();
      expect(known.length).toBeGreaterThan(2);
      expect(names.sort()).toEqual(known.map(({ name }) => name));
      expect(errorOf(await call(`${url}/api/patterns?cursor=abc`), 400).code).toBe("invalid_cursor");
    });

    it("GET refuses a cursor of another list", async () => {
      const first = await call(`${url}/api/executions?pattern=echo-by-number&status=completed&limit=1`);
      const { cursor = "" } = exactly(executionPageSchema, first.body);
      expect(cursor).not.toBe("");
      const same = `pattern=echo-by-number&status=completed&limit=5&cursor=${cursor}`;
      expect((await call(`${url}/api/executions?${same}`)).status).toBe(200);
      for (const path of [
        `executions?cursor=${cursor}`,
        `executions?status=completed&cursor=${cursor}`,
        `executions?pattern=echo&status=completed&cursor=${cursor}`,
        `executions?pattern=echo-by-number&status=failed&cursor=${cursor}`,
        `agents?cursor=${cursor}`,
      ])
        expect(errorOf(await call(`${url}/api/${path}`), 400).code, path).toBe("invalid_cursor");
    });

    it("POST …/cancel ends one, and its agent hears of it", async () => {
      const { id } = await running();
      const answer = await post(`/api/executions/${id}/cancel`, {});
      expect(answer.status).toBe(200);
      const found = execution(answer);
      expect(found).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
      expect(found.tasks.map((task) => task.status)).toEqual(["cancelled"]);
      await eventually(async () => {
        const { agents } = await nodes.client(1).agents.list({ capability: "holding" });
        return !agents[0]?.tasks.includes(`${id}:0`);
      });
      const again = await post(`/api/executions/${id}/cancel`, {});
      expect(again, "a repetition says what the first one said").toMatchObject({
        status: 200,
        body: answer.body,
      });
      const done = execution(await post("/api/executions?wait=10s", { pattern: "echo" }));
      expect(errorOf(await post(`/api/executions/${done.id}/cancel`, {}), 409).code).toBe(
        "execution_finished",
      );
      expect(errorOf(await post("/api/executions/exec_none/cancel", {}), 404).code).toBe(
        "execution_not_found",
      );
    });

    it("POST …/retry keeps what its caller had decided", async () => {
      const body = { pattern: "nobody", options: { timeout: "150ms", retries: 3 } };
      const first = execution(await post("/api/executions?wait=10s", body));
      expect(first.status).toBe("failed");
      const again = execution(await post(`/api/executions/${first.id}/retry`, {}));
      const fields = nodes.space.records.shelf(0, "execution").records.get(again.id)?.fields;
      expect(JSON.parse(fields?.get("options") ?? "{}")).toEqual(body.options);
      expect(JSON.parse(fields?.get("definition") ?? "{}")).toMatchObject(body.options);
    });

    it("POST …/retry runs one again, as another, and never what is open", async () => {
      const open = await running();
      expect(errorOf(await post(`/api/executions/${open.id}/retry`, {}), 409).code).toBe("execution_open");
      await post(`/api/executions/${open.id}/cancel`, {});
      const answer = await post(`/api/executions/${open.id}/retry`, {});
      expect(answer.status).toBe(202);
      const again = execution(answer);
      expect(again).toMatchObject({ retryOf: open.id, pattern: "hold" });
      expect(again.id).not.toBe(open.id);
      await post(`/api/executions/${again.id}/cancel`, {});
    });
  });

  describe("of agents", () => {
    it("GET lists them on any node, by node and capability", async () => {
      for (const each of nodes.urls) {
        const { agents } = exactly(agentPageSchema, (await call(`${each}/api/agents`)).body);
        expect(agents.map(({ name }) => name).sort()).toEqual(["echo", "holder"]);
        for (const filter of ["node=node-1", "capability=holding"]) {
          const page = exactly(agentPageSchema, (await call(`${each}/api/agents?${filter}`)).body);
          expect(page.agents.map(({ name }) => name)).toEqual(["holder"]);
        }
      }
    });

    it("GET answers one of them, with the tasks that it holds", async () => {
      const { tasks } = await running();
      const agentId = tasks[0]?.agentId ?? "";
      const answer = await call(`${nodes.node(1).url}/api/agents/${agentId}`);
      const agent = exactly(agentSchema, answer.body);
      expect(agent).toMatchObject({
        id: agentId,
        name: "holder",
        status: "connected",
        nodeId: "node-1",
        capabilities: ["holding"],
        maxConcurrentTasks: 50,
      });
      expect(agent.tasks).toContain(tasks[0]?.id);
      expect(errorOf(await call(`${url}/api/agents/agent_none`), 404).code).toBe("agent_not_found");
    });
  });

  describe("of patterns", () => {
    it("PUT stores one, and GET shows it on any node at once", async () => {
      const definition = workPattern("new", { timeout: "5s", description: "to be seen" });
      const answer = await call(`${url}/api/patterns/new`, { method: "PUT", body: definition });
      expect(answer.status).toBe(200);
      const stored = exactly(patternSchema, answer.body);
      expect(stored).toMatchObject({ ...definition, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
      const there = await call(`${nodes.node(1).url}/api/patterns/new`);
      expect(exactly(patternSchema, there.body)).toEqual(stored);
    });

    it("PUT replaces one on all nodes, and the same again changes nothing", async () => {
      const put = (retries: number) =>
        call(`${url}/api/patterns/changing`, { method: "PUT", body: workPattern("changing", { retries }) });
      const first = await put(1);
      expect((await put(1)).body).toEqual(first.body);
      // The other node keeps it in memory, until it hears of the change.
      expect((await call(`${nodes.node(1).url}/api/patterns/changing`)).body).toEqual(first.body);
      await put(2);
      await eventually(async () => {
        const { body } = await call(`${nodes.node(1).url}/api/patterns/changing`);
        return exactly(patternSchema, body).retries === 2;
      });
    });

    it("PUT takes the name from the path, and refuses another one in the body", async () => {
      const { name: _name, ...nameless } = workPattern("x");
      const named = await call(`${url}/api/patterns/by-path`, { method: "PUT", body: nameless });
      expect(named.body).toMatchObject({ name: "by-path" });
      const other = await call(`${url}/api/patterns/by-path`, { method: "PUT", body: workPattern("other") });
      expect(errorOf(other, 400).message).toContain("its name is other, but the path says by-path");
    });

    it("GET lists them, the newest first", async () => {
      const { patterns } = exactly(patternListSchema, (await call(`${url}/api/patterns`)).body);
      const names = patterns.map(({ name }) => name);
      expect(names.indexOf("hold")).toBeLessThan(names.indexOf("echo"));
      expect(errorOf(await call(`${url}/api/patterns/none`), 404).code).toBe("pattern_not_found");
    });
  });

  it("names each request in its answer, by the caller's name if it has one", async () => {
    const named = await call(`${url}/ha/status`, { headers: { "X-Request-Id": "mine-1" } });
    expect(named.headers.get("X-Request-Id")).toBe("mine-1");
    for (const path of [
      "/health",
      "/health/live",
      "/metrics",
      "/metrics/cluster",
      "/openapi.json",
      "/docs",
    ]) {
      const { headers } = await fetch(`${url}${path}`, { headers: { "X-Request-Id": "mine-2" } });
      expect([path, headers.get("X-Request-Id"), headers.get("X-Content-Type-Options")]).toEqual([
        ...[path, "mine-2", "nosniff"],
      ]);
    }
    const strange = await call(`${url}/api/none`, { headers: { "X-Request-Id": "<script>" } });
    expect(strange.headers.get("X-Request-Id")).toMatch(/^req_/);
    expect(strange.body).toMatchObject({ requestId: strange.headers.get("X-Request-Id") });
  });
});
