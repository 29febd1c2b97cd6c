import { once } from "node:events";
import { connect } from "node:net";
import { closeCodes } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { type Answer, type Call, call, errorOf } from "../support/requests.ts";
import { hello, openSocket, sendRaw, upgradeLines } from "../support/sockets.ts";

/** Each is one clear error with a code and a remedy, and right after it everybody else is served as before. */
describe("bad input", () => {
  let nodes: LocalNodes;
  let url: string;

  beforeAll(async () => {
    nodes = await startNodes(1);
    url = nodes.node(0).url;
    await nodes
      .client(0)
      .patterns.put(workPattern("one", { inputSchema: { type: ["string", "number", "null"] } }));
    await nodes.agent({ at: 0, slots: 10, handler: async ({ input }) => ({ result: input }) });
  });
  afterAll(() => nodes.stop());
  afterEach(async () => {
    const execution = await nodes.client(0).executions.run({ pattern: "one", input: "after" });
    expect(execution, "the agent and everybody else go on").toMatchObject({
      status: "completed",
      result: "after",
    });
  });

  const submit = (body: unknown, rest: Partial<Call> = {}): Promise<Answer> =>
    call(`${url}/api/executions`, { method: "POST", body, ...rest });
  const nested = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

  describe("in a request", () => {
    it.each<[string, () => Promise<Answer>, number, string]>([
      ["a body that is no JSON", () => submit('{"pattern": '), 400, "invalid_request"],
      ["a body that is no object", () => submit("[1]"), 400, "invalid_request"],
      ["no body", () => submit(""), 400, "invalid_request"],
      [
        "an input that is too deep for an agent",
        () => submit(`{"pattern":"one","input":${nested}}`),
        400,
        "invalid_request",
      ],
      ["an unknown pattern", () => submit({ pattern: "none" }), 404, "pattern_not_found"],
      ["a name that is none", () => submit({ pattern: "../etc" }), 400, "invalid_request"],
      ["an unknown field", () => submit({ pattern: "one", priority: 9 }), 400, "invalid_request"],
      [
        "an input that the pattern's schema refuses",
        () => submit({ pattern: "one", input: [] }),
        400,
        "invalid_input",
      ],
      [
        "a broken duration",
        () => submit({ pattern: "one", options: { timeout: "soon" } }),
        400,
        "invalid_request",
      ],
      [
        "a broken wait",
        () => call(`${url}/api/executions?wait=long`, { body: { pattern: "one" } }),
        400,
        "invalid_request",
      ],
      [
        "an endless key",
        () => submit({ pattern: "one" }, { headers: { "Idempotency-Key": "k".repeat(300) } }),
        400,
        "invalid_request",
      ],
      ["an id that is none", () => call(`${url}/api/executions/..%2F..%2Fetc`), 400, "invalid_request"],
      ["a limit that is none", () => call(`${url}/api/executions?limit=many`), 400, "invalid_request"],
      ["a limit beyond the bound", () => call(`${url}/api/executions?limit=100000`), 400, "invalid_request"],
      ["a cursor of another list", () => call(`${url}/api/executions?cursor=abc`), 400, "invalid_cursor"],
      ["a status that there is not", () => call(`${url}/api/executions?status=lost`), 400, "invalid_request"],
      ["a capability that is none", () => call(`${url}/api/agents?capability=%20`), 400, "invalid_request"],
      [
        "a pattern without a strategy",
        () => call(`${url}/api/patterns/p`, { method: "PUT", body: { capabilities: ["c"] } }),
        400,
        "invalid_request",
      ],
      [
        "a pattern whose schema is none",
        () =>
          call(`${url}/api/patterns/p`, {
            method: "PUT",
            body: workPattern("p", { inputSchema: { type: 7 } }),
          }),
        400,
        "invalid_pattern",
      ],
      [
        "a pattern that is a list",
        () => call(`${url}/api/patterns/p`, { method: "PUT", body: "[]" }),
        400,
        "invalid_request",
      ],
      [
        "a function that the node does not have",
        () =>
          call(`${url}/api/patterns/p`, {
            method: "PUT",
            body: workPattern("p", { aggregate: { strategy: "function", module: "m.js" } }),
          }),
        400,
        "invalid_pattern",
      ],
      [
        "force that is no boolean",
        () => call(`${url}/ha/elect`, { body: { force: "yes" } }),
        400,
        "invalid_request",
      ],
      ["an unknown route", () => call(`${url}/api/none`), 404, "not_found"],
      ["a route with a slash too many", () => call(`${url}/api/executions/`), 404, "not_found"],
      ["an unknown route outside of the API", () => call(`${url}/favicon.ico`), 404, "not_found"],
      [
        "a method that a route does not have",
        () => call(`${url}/api/executions`, { method: "DELETE" }),
        405,
        "method_not_allowed",
      ],
      [
        "a parameter that there is not",
        () => call(`${url}/api/executions?statsu=failed`),
        400,
        "invalid_request",
      ],
      [
        "a parameter that is given twice",
        () => call(`${url}/api/executions?status=failed&status=running`),
        400,
        "invalid_request",
      ],
      [
        "a form",
        () => submit("pattern=one", { headers: { "Content-Type": "application/x-www-form-urlencoded" } }),
        415,
        "unsupported_media_type",
      ],
      ["the agents' door without an upgrade", () => call(`${url}/ws/agent`), 426, "upgrade_required"],
    ])("%s", async (_, act, status, code) => {
      expect(errorOf(await act(), status).code).toBe(code);
    });

    it("a body of 10 MiB, with and without its length, while others are served", async () => {
      const body = JSON.stringify({ pattern: "one", input: "x".repeat(10 * 1024 ** 2) });
      const other = nodes.client(0).executions.run({ pattern: "one", input: 7 });
      const answer = await submit(body);
      expect(errorOf(answer, 413)).toMatchObject({ code: "too_large", details: { maxBytes: 1024 ** 2 } });
      const stream = new Blob([body]).stream();
      const init = { method: "POST", body: stream, duplex: "half" as const };
      const chunked = await fetch(`${url}/api/executions`, init);
      expect(errorOf({ status: chunked.status, body: await chunked.json() }, 413).code).toBe("too_large");
      expect((await other).result).toBe(7);
    });

    it("an empty body without its length is none, as curl sends it", async () => {
      const head = ["Host: node", "Connection: close"];
      const deleted = await sendRaw(url, ["DELETE /api/executions HTTP/1.1", ...head]);
      expect(errorOf(deleted, 405).code).toBe("method_not_allowed");
      const { status } = await sendRaw(url, ["POST /api/executions/exec_none/cancel HTTP/1.1", ...head]);
      expect(status).toBe(404);
      const stepDown = await sendRaw(url, ["POST /ha/stepdown HTTP/1.1", ...head]);
      expect(errorOf(stepDown, 409).code).toBe("no_standby");
    });

    it("a small body in chunks is taken as any other", async () => {
      const body = new Blob([JSON.stringify({ pattern: "one", input: "in chunks" })]).stream();
      const init = { method: "POST", body, duplex: "half" as const };
      const answer = await fetch(`${url}/api/executions?wait=5s`, init);
      expect(await answer.json()).toMatchObject({ status: "completed", result: "in chunks" });
    });

    it.each([
      ["a target that is no path", ["GET http:// HTTP/1.1", "Host: node"]],
      ["a target of slashes", ["GET // HTTP/1.1", "Host: node"]],
      ["no host", ["GET /ha/status HTTP/1.1"]],
      ["a header that is none", ["GET /ha/status HTTP/1.1", "Host: node", "no colon"]],
      ["no HTTP at all", ["\u0016\u0003\u0001 hello"]],
    ])("%s", async (_, lines) => {
      const answer = await sendRaw(url, [...lines, "Connection: close"]);
      expect([400, 404]).toContain(answer.status);
    });

    it.each([
      ["a header that is none", ["GET /ha/status HTTP/1.1", "Host: node", "no colon"]],
      ["no HTTP at all", ["\u0016\u0003\u0001 hello"]],
    ])("%s is told so, as any other error", async (_, lines) => {
      expect(errorOf(await sendRaw(url, lines), 400).code).toBe("invalid_request");
    });

    it("headers without an end", async () => {
      const answer = await sendRaw(url, [
        "GET /health HTTP/1.1",
        "Host: node",
        `X-Long: ${"x".repeat(20_000)}`,
      ]);
      expect(errorOf(answer, 431).code).toBe("headers_too_large");
    });

    it.each(["https://elsewhere.example", "null", "http://localhost:1"])(
      "what a page of %s asks of a node without tokens",
      async (Origin) => {
        const headers = { Origin };
        for (const path of ["/api/executions", "/ha/drain", "/ha/stepdown"]) {
          const answer = await call(`${url}${path}`, { method: "POST", body: "{}", headers });
          expect(errorOf(answer, 403).code, path).toBe("forbidden");
        }
        const own = { Origin: new URL(url).origin };
        expect((await submit({ pattern: "one" }, { headers: own })).status).toBe(202);
        expect((await call(`${url}/api/patterns`, { headers })).status).toBe(200);
        const agent = await sendRaw(url, [...upgradeLines(), `Origin: ${Origin}`]);
        expect(errorOf(agent, 403).code).toBe("forbidden");
      },
    );
  });

  describe("at the agents' door", () => {
    it.each([
      ["another path", upgradeLines({ path: "/ws/other" }), 404, "not_found"],
      ["a path that is none", upgradeLines({ path: "//" }), 404, "not_found"],
      ["a target that is none", upgradeLines({ path: "http://" }), 404, "not_found"],
      ["another subprotocol", upgradeLines({ protocol: "parallax.agent.v99" }), 400, "unsupported_version"],
      ["no subprotocol", upgradeLines({ protocol: "" }), 400, "unsupported_version"],
    ])("%s", async (_, lines, status, code) => {
      expect(errorOf(await sendRaw(url, lines), status).code).toBe(code);
    });

    it("a refused one that keeps its half of the connection open does not keep the node from ending", async () => {
      const further = await nodes.start("node-further");
      const socket = connect({
        port: Number(new URL(further.url).port),
        host: "127.0.0.1",
        allowHalfOpen: true,
      });
      socket.on("error", () => {});
      socket.write(`${upgradeLines({ path: "/none" }).join("\r\n")}\r\n\r\n`);
      await once(socket, "data");
      await further.stop();
      socket.destroy();
    });
  });

  describe("over an agent's socket", () => {
    it.each<[string, string | Buffer | object, string]>([
      ["what is no JSON", "{", "not_json"],
      ["what is no object", "[]", "not_json"],
      ["a frame of no type", { hello: 1 }, "invalid_frame"],
      ["a frame of an unknown type", { type: "dance" }, "unknown_type"],
      ["a frame that is too deep", `{"type":"result","result":${nested}}`, "too_deep"],
      ["a binary frame", Buffer.from(JSON.stringify(hello())), "binary_frame"],
      ["a hello without capabilities", { ...hello(), capabilities: undefined }, "invalid_frame"],
      ["a hello with none", hello({ capabilities: [] }), "invalid_frame"],
      ["a hello with long metadata", hello({ metadata: { long: "x".repeat(16_384) } }), "invalid_frame"],
      ["a hello with a name that terminals obey", hello({ name: "\u001b[2J" }), "invalid_frame"],
      ["a hello with no place", hello({ maxConcurrentTasks: 0 }), "invalid_frame"],
    ])("%s: one error, and the connection goes on", async (_, frame, code) => {
      const agent = await openSocket(url);
      agent.send(frame);
      const error = await agent.next("error");
      expect(error.code).toBe(code);
      expect(error.message).toMatch(/^[a-z].*: /);
      agent.send(hello());
      expect((await agent.next("welcome")).agentId).toMatch(/^agent_/);
      agent.send(frame);
      await agent.next("error");
      agent.close();
    });

    it("another frame before hello ends it, for it can't be meant so", async () => {
      const agent = await openSocket(url);
      agent.send({ type: "goodbye" });
      expect(await agent.closed).toBe(closeCodes.protocolError);
    });

    it("a second hello ends it, too", async () => {
      const agent = await openSocket(url);
      agent.send(hello());
      await agent.next("welcome");
      agent.send(hello());
      expect(await agent.closed).toBe(closeCodes.protocolError);
    });

    it("a frame beyond the bound ends it", async () => {
      const agent = await openSocket(url);
      agent.send(hello());
      const { limits } = await agent.next("welcome");
      agent.send({
        type: "progress",
        taskId: "exec_1:0",
        attempt: 1,
        message: "x".repeat(limits.maxPayloadBytes),
      });
      expect(await agent.closed).toBe(1009);
    });

    it("results of tasks that were never given to it count nowhere", async () => {
      await nodes.client(0).patterns.put(workPattern("victim", { capabilities: ["victim"], timeout: "20s" }));
      const { id } = await nodes.client(0).executions.submit({ pattern: "victim" });
      const agent = await openSocket(url);
      agent.send(hello());
      await agent.next("welcome");
      const forged = { type: "result", executionId: id, taskId: `${id}:0`, attempt: 1, result: "forged" };
      agent.send(forged);
      expect((await agent.next("ack")).outcome).toBe("unknown");
      agent.send({ ...forged, taskId: `${id}:77` });
      expect((await agent.next("ack")).outcome).toBe("unknown");
      agent.send({ ...forged, executionId: "exec_none", taskId: "exec_none:0" });
      expect((await agent.next("ack")).outcome).toBe("unknown");
      agent.close();
      expect((await nodes.client(0).executions.get(id)).status).toBe("pending");
      await nodes.client(0).executions.cancel(id);
    });

    it("a resume token that is wrong begins a new session, and leaves the other's alone", async () => {
      const owner = await openSocket(url);
      owner.send(hello());
      const { agentId } = await owner.next("welcome");
      const thief = await openSocket(url);
      thief.send(hello({ agentId, resumeToken: "guessed", connection: 99 }));
      const welcome = await thief.next("welcome");
      expect(welcome).toMatchObject({ resumed: false });
      expect(welcome.agentId).not.toBe(agentId);
      await eventually(async () => (await nodes.client(0).agents.get(agentId)).status === "connected");
      owner.close();
      thief.close();
    });
  });
});
