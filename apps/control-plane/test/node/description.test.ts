import { allOperations, errorStatuses } from "@parallax/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { type Answer, call, errorOf } from "../support/requests.ts";

type Json = Readonly<Record<string, unknown>>;

/** What is at a path of keys. */
function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), value);
}

describe("the description of the API", () => {
  let nodes: LocalNodes;
  let url: string;
  let document: Json;
  let execution: string;

  beforeAll(async () => {
    nodes = await startNodes(2);
    url = nodes.node(0).url;
    document = Object(await (await fetch(`${url}/openapi.json`)).json());
    await nodes.client(0).patterns.put(workPattern("one"));
    await nodes.agent({ at: 0, handler: async ({ input }) => ({ result: input, confidence: 0.5 }) });
    execution = (await nodes.client(0).executions.run({ pattern: "one", input: { a: 1 } })).id;
  });
  afterAll(() => nodes.stop());

  /** Whether an answer is what the document says of this operation and status. */
  function complaints(path: string, method: string, { status, headers, body }: Answer): unknown {
    const response = at(document, "paths", path, method, "responses", String(status));
    if (response === undefined) return `status ${status} is not described`;
    const type = (headers.get("Content-Type") ?? "").split(";")[0] ?? "";
    const schema = at(response, "content", type, "schema");
    if (schema === undefined) return `content of type ${type} is not described`;
    if (!type.endsWith("json")) return undefined;
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "api", components: document.components });
    const text = JSON.stringify(schema).replaceAll('"#/components', '"api#/components');
    const validate = ajv.compile(JSON.parse(text));
    return validate(body) ? undefined : validate.errors;
  }

  it("is a valid OpenAPI document", async () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const { valid, errors } = await new Validator().validate({ ...document });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it("refers to nothing that is not there", () => {
    const references = JSON.stringify(document).matchAll(/"#\/([^"]+)"/g);
    for (const [, path = ""] of references) expect(at(document, ...path.split("/")), path).toBeDefined();
  });

  it("has every operation once, each with a name of its own", () => {
    const described = Object.entries(Object(document.paths)).flatMap(([path, methods]) =>
      Object.keys(Object(methods)).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(allOperations.map(({ method, path }) => `${method} ${path}`).sort());
    expect(new Set(allOperations.map(({ id }) => id)).size).toBe(allOperations.length);
  });

  const ok: [string, string, () => Promise<Answer>, number][] = [
    ["post", "/api/executions", () => call(`${url}/api/executions`, { body: { pattern: "one" } }), 202],
    [
      "post",
      "/api/executions",
      () => call(`${url}/api/executions?wait=10s`, { body: { pattern: "one", input: [1] } }),
      200,
    ],
    ["get", "/api/executions", () => call(`${url}/api/executions?limit=1`), 200],
    ["get", "/api/executions/{id}", () => call(`${url}/api/executions/${execution}`), 200],
    [
      "post",
      "/api/executions/{id}/retry",
      () => call(`${url}/api/executions/${execution}/retry`, { method: "POST" }),
      202,
    ],
    ["get", "/api/executions/{id}/events", () => call(`${url}/api/executions/${execution}/events`), 200],
    ["get", "/api/agents", () => call(`${url}/api/agents`), 200],
    ["get", "/api/patterns", () => call(`${url}/api/patterns`), 200],
    ["get", "/api/patterns/{name}", () => call(`${url}/api/patterns/one`), 200],
    [
      "put",
      "/api/patterns/{name}",
      () => call(`${url}/api/patterns/two`, { method: "PUT", body: workPattern("two") }),
      200,
    ],
    ["get", "/ha/status", () => call(`${url}/ha/status`), 200],
    ["post", "/ha/stepdown", () => call(`${url}/ha/stepdown`, { method: "POST" }), 200],
    ["post", "/ha/elect", () => call(`${url}/ha/elect`, { method: "POST" }), 200],
    ["get", "/health", () => call(`${url}/health`), 200],
    ["get", "/health/live", () => call(`${url}/health/live`), 200],
    ["get", "/health/ready", () => call(`${url}/health/ready`), 200],
    ["get", "/metrics", () => call(`${url}/metrics`), 200],
    ["get", "/metrics/cluster", () => call(`${url}/metrics/cluster`), 200],
    ["get", "/openapi.json", () => call(`${url}/openapi.json`), 200],
    ["get", "/docs", () => call(`${url}/docs`), 200],
  ];
  it.each(ok)("says how %s %s answers", async (method, path, act, status) => {
    const answer = await act();
    expect(answer.status).toBe(status);
    expect(complaints(path, method, answer)).toBeUndefined();
  });

  it("says how an agent, a cancel, and a drain are answered", async () => {
    const [agent] = (await nodes.client(0).agents.list()).agents;
    const read = await call(`${url}/api/agents/${agent?.id}`);
    expect(read.status).toBe(200);
    expect(complaints("/api/agents/{id}", "get", read)).toBeUndefined();
    await nodes.client(0).patterns.put(workPattern("nobody", { capabilities: ["nothing"] }));
    const { id } = await nodes.client(0).executions.submit({ pattern: "nobody" });
    const cancelled = await call(`${url}/api/executions/${id}/cancel`, { method: "POST" });
    expect(cancelled.status).toBe(200);
    expect(complaints("/api/executions/{id}/cancel", "post", cancelled)).toBeUndefined();
    const further = await nodes.start("node-further");
    const drained = await call(`${url}/ha/drain`, { body: { node: "node-further" } });
    expect(drained.status).toBe(202);
    expect(complaints("/ha/drain", "post", drained)).toBeUndefined();
    await further.ended;
  });

  const refused: [string, string, () => Promise<Answer>, number][] = [
    ["post", "/api/executions", () => call(`${url}/api/executions`, { body: { pattern: "No" } }), 400],
    ["post", "/api/executions", () => call(`${url}/api/executions`, { body: { pattern: "none" } }), 404],
    [
      "post",
      "/api/executions",
      () => call(`${url}/api/executions`, { body: "<a/>", headers: { "Content-Type": "text/xml" } }),
      415,
    ],
    ["get", "/api/executions", () => call(`${url}/api/executions?cursor=none`), 400],
    ["get", "/api/executions/{id}", () => call(`${url}/api/executions/exec_none`), 404],
    [
      "post",
      "/api/executions/{id}/cancel",
      () => call(`${url}/api/executions/${execution}/cancel`, { method: "POST" }),
      409,
    ],
    ["get", "/api/executions/{id}/events", () => call(`${url}/api/executions/exec_none/events`), 404],
    ["get", "/api/agents/{id}", () => call(`${url}/api/agents/agent_none`), 404],
    ["get", "/api/patterns/{name}", () => call(`${url}/api/patterns/none`), 404],
    ["post", "/ha/drain", () => call(`${url}/ha/drain`, { body: { node: "node-9" } }), 404],
    ["get", "/ws/agent", () => call(`${url}/ws/agent`), 426],
    ["get", "/docs/{file}", () => call(`${url}/docs/passwords`), 404],
  ];
  it.each(refused)("says how %s %s fails", async (method, path, act, status) => {
    const answer = await act();
    expect(errorOf(answer, status).code in errorStatuses).toBe(true);
    expect(complaints(path, method, answer)).toBeUndefined();
  });

  describe("as a page", () => {
    it("loads nothing from anywhere else", async () => {
      const page = await call(`${url}/docs`);
      expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'; script-src 'self'");
      const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = ""]) => part);
      expect(parts.some((part) => part.includes("//"))).toBe(false);
      for (const part of parts.filter((each) => !each.startsWith("data:"))) {
        const answer = await fetch(`${url}/${part}`);
        expect(answer.status, part).toBe(200);
        expect((await answer.text()).length, part).toBeGreaterThan(100);
      }
    });

    it("sends its parts as they can be read, small where that is understood", async () => {
      for (const encoding of ["gzip", "identity"]) {
        const headers = { "Accept-Encoding": encoding };
        const answer = await fetch(`${url}/docs/swagger-ui.css`, { headers });
        expect(answer.headers.get("Content-Encoding")).toBe(encoding === "gzip" ? "gzip" : null);
        expect(answer.headers.get("Content-Type")).toContain("text/css");
        expect(await answer.text()).toContain(".swagger-ui");
      }
    });
  });

  it("says which methods a path has, and refuses others", async () => {
    const options = await call(`${url}/api/executions`, { method: "OPTIONS" });
    expect([options.status, options.headers.get("Allow")]).toEqual([204, "POST, GET, HEAD, OPTIONS"]);
    const deleted = await call(`${url}/api/executions/${execution}`, { method: "DELETE" });
    expect(errorOf(deleted, 405).message).toContain("use GET, HEAD");
    expect(deleted.headers.get("Allow")).toBe("GET, HEAD, OPTIONS");
    expect(errorOf(await call(`${url}/api/nothing`, { method: "OPTIONS" }), 404).code).toBe("not_found");
  });

  it("answers HEAD as GET without a body", async () => {
    for (const path of ["/api/executions", "/api/events", `/api/executions/${execution}/events`, "/docs"]) {
      const answer = await call(`${url}${path}`, { method: "HEAD" });
      expect([path, answer.status, answer.text]).toEqual([path, 200, ""]);
      expect(answer.headers.get("Content-Type")).toMatch(
        /^(?:application\/json|text\/(?:event-stream|html))/,
      );
    }
  });
});
