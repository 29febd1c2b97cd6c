import { closeCodes } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { hello, openSocket, type RawAgent, sendRaw, upgradeLines } from "../support/sockets.ts";

describe("an agent that lies", () => {
  let nodes: LocalNodes;
  let url: string;

  beforeEach(async () => {
    nodes = await startNodes(1, { "agents.maxConnectionsPerToken": 4 });
    url = nodes.node(0).url;
    await nodes.client(0).patterns.put(workPattern("one", { capabilities: ["raw"], timeout: "20s" }));
  });
  afterEach(() => nodes.stop());

  async function connect(changes: object = {}): Promise<RawAgent> {
    const agent = await openSocket(url);
    agent.send(hello(changes));
    return agent;
  }

  /** An agent that was given a task of a new execution. */
  async function withTask(): Promise<{ agent: RawAgent; id: string; about: object }> {
    const agent = await connect();
    const { id } = await nodes.client(0).executions.submit({ pattern: "one" });
    const { taskId, executionId, attempt } = await agent.next("task");
    return { agent, id, about: { taskId, executionId, attempt } };
  }

  const ended = (id: string) =>
    eventually(async () => {
      const execution = await nodes.client(0).executions.get(id);
      return execution.finishedAt !== undefined && execution;
    });

  it("about a task of another one is told that it is not its own, and changes nothing", async () => {
    const { agent, id, about } = await withTask();
    const liar = await connect({ name: "liar", capabilities: ["other"] });
    await liar.next("welcome");
    liar.send({ ...about, type: "refuse", reason: "busy" });
    liar.send({ ...about, type: "failure", error: { code: "c", message: "m", retryable: false } });
    expect((await liar.next("ack")).outcome).toBe("superseded");
    liar.send({ ...about, type: "result", result: "forged" });
    expect((await liar.next("ack")).outcome).toBe("superseded");
    agent.send({ ...about, type: "result", result: "honest" });
    expect((await agent.next("ack")).outcome).toBe("counted");
    expect(await ended(id)).toMatchObject({ status: "completed", result: "honest", attempts: 1 });
  });

  it("with a second, other result for its task is held to the first", async () => {
    const { agent, id, about } = await withTask();
    agent.send({ ...about, type: "result", result: "first" });
    agent.send({ ...about, type: "result", result: "second" });
    expect((await agent.next("ack")).outcome).toBe("counted");
    expect((await agent.next("ack")).outcome).toBe("superseded");
    expect(await ended(id)).toMatchObject({ result: "first" });
  });

  it("with a result after the cancel is too late", async () => {
    const { agent, id, about } = await withTask();
    agent.send({ ...about, type: "accept" });
    await nodes.client(0).executions.cancel(id);
    await agent.next("cancel");
    agent.send({ ...about, type: "result", result: "late" });
    expect((await agent.next("ack")).outcome).toBe("superseded");
    expect(await ended(id)).toMatchObject({ status: "cancelled" });
  });

  it("about who it is begins a session of its own, and what it claims to hold is called back", async () => {
    const { agent, about } = await withTask();
    const { agentId } = await eventually(() => agent.frames.find((frame) => frame.type === "welcome"));
    const own = await connect({ name: "thief", capabilities: ["other"] });
    const { resumeToken } = await own.next("welcome");
    const thief = await connect({ agentId, resumeToken, connection: 9, holding: [about] });
    const welcome = await thief.next("welcome");
    expect(welcome.resumed).toBe(false);
    expect(welcome.agentId).not.toBe(agentId);
    expect(await thief.next("cancel")).toMatchObject({ reason: "superseded" });
    agent.send({ ...about, type: "result", result: 1 });
    expect((await agent.next("ack")).outcome, "the other's session goes on").toBe("counted");
  });

  it("and floods with what is no frame is closed with 4429, while others are served", async () => {
    const { agent, id, about } = await withTask();
    const flood = await connect({ capabilities: ["other"] });
    await flood.next("welcome");
    for (let count = 0; count < 150; count += 1) flood.send("{");
    expect(await flood.closed).toBe(closeCodes.tooMany);
    agent.send({ ...about, type: "result", result: 1 });
    expect(await ended(id)).toMatchObject({ status: "completed" });
  });

  it("with too many connections is told to come back later", async () => {
    const agents = await Promise.all(Array.from({ length: 4 }, () => openSocket(url)));
    const refused = await sendRaw(url, upgradeLines());
    expect(refused.status).toBe(429);
    expect(refused.text).toMatch(/^Retry-After: \d+\r$/m);
    expect(refused.body).toMatchObject({ error: { code: "too_many_connections" } });
    agents[0]?.close();
    const [next] = await eventually(async () => {
      const answer = await sendRaw(url, upgradeLines()).catch(() => undefined);
      return answer?.status === 429 ? undefined : [answer];
    });
    expect(next?.status ?? 101).toBe(101);
  });
});

describe("the check of a load balancer", () => {
  it("is answered though it speaks HTTP/1.0 and names no host", async () => {
    const nodes = await startNodes(1);
    const answer = await sendRaw(nodes.node(0).url, ["GET /health/ready HTTP/1.0"]);
    expect(answer.status).toBe(200);
    await nodes.stop();
  });
});
