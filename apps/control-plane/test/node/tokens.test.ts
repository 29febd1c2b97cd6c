import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { call, errorOf } from "../support/requests.ts";
import { sendRaw, upgradeLines } from "../support/sockets.ts";

const tokens = { api: "token-of-api", agent: "token-of-agent", admin: "token-of-admin" };
type Who = keyof typeof tokens | "nobody" | "stranger";

/** The route, and who may use it. */
const routes: [string, string, readonly Who[]][] = [
  ["GET", "/health", ["api", "agent", "admin", "nobody", "stranger"]],
  ["GET", "/health/live", ["api", "agent", "admin", "nobody", "stranger"]],
  ["GET", "/health/ready", ["api", "agent", "admin", "nobody", "stranger"]],
  ["GET", "/metrics", ["api", "agent", "admin", "nobody", "stranger"]],
  ["GET", "/ha/status", ["api", "agent", "admin", "nobody", "stranger"]],
  ["HEAD", "/ha/status", ["api", "agent", "admin", "nobody", "stranger"]],
  ["POST", "/ha/drain", ["admin"]],
  ["POST", "/ha/stepdown", ["admin"]],
  ["GET", "/api/executions", ["api", "admin"]],
  ["POST", "/api/executions", ["api", "admin"]],
  ["GET", "/api/agents", ["api", "admin"]],
  ["GET", "/api/patterns", ["api", "admin"]],
  ["GET", "/api/patterns/one", ["api", "admin"]],
  ["PUT", "/api/patterns/one", ["admin"]],
  ["PUT", "/api/%70atterns/one", ["admin"]],
  ["GET", "/api/no-such-route", ["api", "admin"]],
];

describe("a node with tokens", () => {
  let nodes: LocalNodes;
  beforeAll(async () => {
    const list = Object.entries(tokens).map(([role, token]) => ({ role, token }));
    nodes = await startNodes(1, { "server.auth.tokens": list, "server.host": "127.0.0.1" });
    await nodes.client(0, tokens.admin).patterns.put(workPattern("one"));
  });
  afterAll(() => nodes.stop());

  const tokenOf = (who: Who): { token?: string } =>
    who === "nobody" ? {} : { token: who === "stranger" ? "token-of-nobody" : tokens[who] };

  it.each(routes)("%s %s is for %j", async (method, path, allowed) => {
    for (const who of ["api", "agent", "admin", "nobody", "stranger"] as const) {
      // A drain of a node that is not there: whoever may ask is told so, and nothing happens.
      const body = path.startsWith("/ha/drain") ? { node: "node-9" } : workPattern("one");
      const answer = await call(`${nodes.node(0).url}${path}`, {
        method,
        ...tokenOf(who),
        ...(method === "POST" || method === "PUT" ? { body } : {}),
      });
      if (allowed.includes(who)) expect([401, 403], `${who} may`).not.toContain(answer.status);
      else {
        const known = who in tokens;
        expect(errorOf(answer, known ? 403 : 401).code).toBe(known ? "forbidden" : "unauthorized");
        expect(answer.text).not.toContain("token-of");
      }
    }
  });

  it("lets agents in with a token of theirs, and nobody else", async () => {
    const handler = async () => ({ result: 1 });
    for (const who of ["agent", "admin"] as const) {
      const agent = await nodes.agent({ at: 0, handler, token: tokens[who] });
      expect(agent.connected).toBe(true);
      await agent.stop();
    }
    for (const [token, status] of [
      [tokens.api, 403],
      ["token-of-nobody", 401],
      [undefined, 401],
    ] as const) {
      const answer = await sendRaw(nodes.node(0).url, upgradeLines({ token }));
      expect(errorOf(answer, status).code).toBe(status === 403 ? "forbidden" : "unauthorized");
      expect(answer.text).not.toContain("token-of");
    }
  });

  it("keeps the idempotency keys of different callers apart", async () => {
    const headers = { "Idempotency-Key": "same" };
    const submit = (token: string, input: unknown) =>
      call(`${nodes.node(0).url}/api/executions`, { body: { pattern: "one", input }, token, headers });
    const [first, second] = [await submit(tokens.api, 1), await submit(tokens.admin, 2)];
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(Object(first.body).id).not.toBe(Object(second.body).id);
  });
});
