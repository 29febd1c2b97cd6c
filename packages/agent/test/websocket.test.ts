import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { agentPath, agentSubprotocol } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type AgentEvent, ParallaxAgent, type TransportEnd, webSocketTransport } from "../src/index.ts";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  /** What the agent has sent. */
  readonly texts: readonly string[];
}

/** A server of WebSockets on a free port; `refuse` is the raw HTTP answer to every upgrade. */
async function startServer(refuse?: string): Promise<{ url: string; upgrades: Upgrade[] }> {
  const upgrades: Upgrade[] = [];
  const http: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, stream, head) => {
    if (refuse !== undefined) {
      stream.end(refuse);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const texts: string[] = [];
      socket.on("message", (data) => texts.push(String(data)));
      upgrades.push({ request, socket, texts });
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  stops.push(async () => {
    for (const { socket } of upgrades) socket.terminate();
    http.closeAllConnections();
    http.close();
    await once(http, "close");
  });
  const address = http.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return { url: `ws://127.0.0.1:${port}${agentPath}`, upgrades };
}

interface Heard {
  readonly texts: readonly string[];
  readonly opened: number;
  readonly alive: number;
  readonly ends: readonly TransportEnd[];
  readonly connection: ReturnType<typeof webSocketTransport>;
}

function connect(url: string, token?: string, maxPayloadBytes = 4096): Heard {
  const texts: string[] = [];
  const ends: TransportEnd[] = [];
  const counts = { opened: 0, alive: 0 };
  const connection = webSocketTransport(
    { url, token, maxPayloadBytes },
    {
      opened: () => {
        counts.opened += 1;
      },
      received: (text) => texts.push(text),
      alive: () => {
        counts.alive += 1;
      },
      ended: (end) => ends.push(end),
    },
  );
  stops.push(async () => connection.terminate());
  return {
    texts,
    ends,
    connection,
    get opened() {
      return counts.opened;
    },
    get alive() {
      return counts.alive;
    },
  };
}

async function connectedTo(
  url: string,
  upgrades: readonly Upgrade[],
): Promise<{ heard: Heard; socket: WebSocket }> {
  const heard = connect(url);
  await eventually(() => heard.opened === 1);
  const [upgrade] = upgrades;
  if (!upgrade) throw new Error("no upgrade");
  return { heard, socket: upgrade.socket };
}

describe("the WebSocket transport", () => {
  it("offers the version and shows the token", async () => {
    const { url, upgrades } = await startServer();
    const heard = connect(url, "secret");
    await eventually(() => heard.opened === 1);
    const headers = upgrades[0]?.request.headers;
    expect(upgrades[0]?.request.url).toBe("/ws/agent");
    expect(headers?.["sec-websocket-protocol"]).toBe(agentSubprotocol);
    expect(headers?.authorization).toBe("Bearer secret");
    expect(headers?.["sec-websocket-extensions"]).toBeUndefined();
  });

  it("carries texts both ways", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    socket.on("message", (data) => socket.send(`echo ${String(data)}`));
    heard.connection.send("Grüße");
    await eventually(() => heard.texts.length === 1);
    expect(heard.texts).toEqual(["echo Grüße"]);
  });

  it("tells of pings, answers them, and takes a binary frame as a sign of life only", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    const pong = once(socket, "pong");
    socket.ping();
    socket.send(Buffer.from("x"));
    await pong;
    await eventually(() => heard.alive === 2);
    expect(heard.texts).toEqual([]);
  });

  it("tells with which code and reason the node closed", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    socket.close(1012, "drained");
    await eventually(() => heard.ends.length === 1);
    expect(heard.ends).toEqual([{ code: 1012, reason: "drained" }]);
  });

  it("tells of a connection that broke", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    socket.terminate();
    await eventually(() => heard.ends.length === 1);
    expect(heard.ends[0]?.code).toBe(1006);
  });

  it("closes, and drops what is sent afterwards", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    const closed = once(socket, "close");
    heard.connection.close(1000, "the agent stops");
    heard.connection.send("late");
    const [code] = await closed;
    expect(code).toBe(1000);
    await eventually(() => heard.ends.length === 1);
  });

  it("ends at a frame that is too long", async () => {
    const { url, upgrades } = await startServer();
    const { heard, socket } = await connectedTo(url, upgrades);
    socket.send("x".repeat(4097));
    await eventually(() => heard.ends.length === 1);
    expect(heard.texts).toEqual([]);
  });

  it.each([
    [
      "503 with Retry-After",
      "503 Service Unavailable\r\nRetry-After: 7",
      { status: 503, retryAfterMs: 7000 },
    ],
    [
      "503 with a date",
      "503 Service Unavailable\r\nRetry-After: Wed, 01 Jan 2031 00:00:00 GMT",
      { status: 503, retryAfterMs: undefined },
    ],
    ["401", "401 Unauthorized", { status: 401, retryAfterMs: undefined }],
    ["a redirect", "302 Found\r\nLocation: ws://127.0.0.1:1/", { status: 302, retryAfterMs: undefined }],
  ])("tells how an upgrade was refused: %s", async (_, head, refusal) => {
    const { url } = await startServer(`HTTP/1.1 ${head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    const heard = connect(url);
    await eventually(() => heard.ends.length === 1);
    expect(heard.ends).toEqual([{ code: 1006, reason: `HTTP ${refusal.status}`, refusal }]);
    expect(heard.opened).toBe(0);
  });

  it("tells that nobody listens", async () => {
    const heard = connect("ws://127.0.0.1:9/ws/agent");
    await eventually(() => heard.ends.length === 1);
    expect(heard.ends).toEqual([{ code: 1006, reason: expect.stringContaining("ECONNREFUSED") }]);
  });

  it("can be ended before it is open", async () => {
    const { url } = await startServer();
    const heard = connect(url);
    heard.connection.terminate();
    await eventually(() => heard.ends.length === 1);
    expect(heard.ends[0]?.code).toBe(1006);
  });
});

describe("an agent over WebSocket", () => {
  const welcome = {
    type: "welcome",
    agentId: "agent_a",
    nodeId: "node-1",
    resumeToken: "secret",
    resumed: false,
    limits: { maxPayloadBytes: 1_048_576 },
    heartbeatMs: 15_000,
    reconnect: { graceMs: 30_000, spreadMs: 50 },
  };
  const task = {
    ...{ type: "task", taskId: "exec_a:0", executionId: "exec_a", attempt: 1, pattern: "p" },
    ...{ capabilities: ["echo"], input: "x".repeat(500_000), deadlineMs: 60_000 },
  };

  it("delivers to another node what the first did not acknowledge before it died", async () => {
    const first = await startServer();
    const second = await startServer();
    const urls = [first.url, second.url];
    const agent = new ParallaxAgent({
      controlPlaneUrl: urls,
      random: { next: () => 0 },
      maxConcurrentTasks: 2,
    });
    agent.onTask("echo", async ({ input }) => ({ result: input, confidence: 1 }));
    const events: AgentEvent[] = [];
    agent.subscribe((event) => events.push(event));
    stops.push(() => agent.stop({ timeout: 0 }));

    const starting = agent.start();
    const { socket, texts } = await eventually(() => first.upgrades[0]);
    await eventually(() => texts.length === 1);
    socket.send(JSON.stringify(welcome));
    await starting;
    socket.send(JSON.stringify(task));
    await eventually(() => typesOf(texts).includes("result"));
    socket.terminate();

    const next = await eventually(() => second.upgrades[0]);
    await eventually(() => next.texts.length === 1);
    next.socket.send(JSON.stringify({ ...welcome, nodeId: "node-2", resumed: true }));
    await eventually(() => next.texts.length === 2);
    next.socket.send(JSON.stringify({ type: "ack", taskId: "exec_a:0", attempt: 1, outcome: "counted" }));
    await eventually(() => events.some(({ type }) => type === "result-acknowledged"));
    expect(next.texts.map((text) => JSON.parse(text))).toMatchObject([
      { type: "hello", agentId: "agent_a", resumeToken: "secret", connection: 2, owed: ["exec_a:0"] },
      { type: "result", result: task.input, confidence: 1 },
    ]);
    await agent.stop();
    await eventually(() => typesOf(next.texts).at(-1) === "goodbye");
  });
});

function typesOf(texts: readonly string[]): readonly string[] {
  return texts.map((text) => JSON.parse(text).type);
}
