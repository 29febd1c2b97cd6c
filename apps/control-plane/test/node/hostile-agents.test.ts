import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { closeCodes } from "@parallax/protocol";
import { eventually } from "@parallax/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";
import { hello, openSocket, sendRaw, upgradeLines } from "../support/sockets.ts";

describe("a hostile agent", () => {
  let nodes: LocalNodes;
  let url: string;
  const tokens = [
    { token: "agents-token", role: "agent" },
    { token: "apis-token", role: "api" },
    { token: "admins-token", role: "admin" },
  ];

  beforeAll(async () => {
    nodes = await startNodes(1, { "server.auth.tokens": tokens });
    url = nodes.node(0).url;
    await nodes.client(0, "admins-token").patterns.put(workPattern("one", { timeout: "20s" }));
    await nodes.agent({ at: 0, token: "agents-token", handler: async () => ({ result: "served" }) });
  });
  afterAll(() => nodes.stop());

  /** Others are served, whatever it does. */
  async function othersAreServed(): Promise<void> {
    const execution = await nodes.client(0, "apis-token").executions.run({ pattern: "one" });
    expect(execution).toMatchObject({ status: "completed", result: "served" });
  }

  /** A connection that was upgraded, without a WebSocket on this side. */
  async function upgraded(): Promise<{ socket: Socket; received: () => Buffer }> {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.write(`${upgradeLines({ token: "agents-token" }).join("\r\n")}\r\n\r\n`);
    await eventually(() => Buffer.concat(chunks).includes("\r\n\r\n"));
    const head = Buffer.concat(chunks).indexOf("\r\n\r\n") + 4;
    return { socket, received: () => Buffer.concat(chunks).subarray(head) };
  }

  describe("at the door", () => {
    const lines = upgradeLines({ token: "agents-token" });
    const without = (name: string): string[] => lines.filter((line) => !line.startsWith(name));
    const protocols = Array.from({ length: 400 }, (_, index) => `p${index}`).join(", ");
    it.each<[string, readonly string[], number]>([
      ["without a key", without("Sec-WebSocket-Key"), 400],
      ["with a key that is none", [...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: short"], 400],
      [
        "of another version of WebSocket",
        [...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 7"],
        400,
      ],
      ["with another method", ["POST /ws/agent HTTP/1.1", ...lines.slice(1)], 400],
      ["to another protocol", [...without("Upgrade"), "Upgrade: irc"], 426],
      ["with a name of a protocol twice", [...lines, "Sec-WebSocket-Protocol: parallax.agent.v1"], 400],
      ["with names that are none", [...lines, "Sec-WebSocket-Protocol: (), a b"], 400],
      [
        "with hundreds of other protocols",
        [...without("Sec-WebSocket-Protocol"), `Sec-WebSocket-Protocol: ${protocols}`],
        400,
      ],
      ["with headers that are too long", [...lines, `X-Long: ${"x".repeat(17_000)}`], 431],
      ["with a token of another role", upgradeLines({ token: "apis-token" }), 403],
      ["with a token that is none", upgradeLines({ token: "x".repeat(8000) }), 401],
    ])("%s is told so, as with any other error", async (_, request, status) => {
      const answer = await sendRaw(url, request);
      expect(answer.status).toBe(status);
      expect(answer.body).toMatchObject({ error: { message: expect.stringMatching(/^[a-z]/) } });
    });
  });

  it("that offers another protocol beside HTTP/1.1 is answered in HTTP/1.1, as are clients that would rather have HTTP/2", async () => {
    const offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    const read = await sendRaw(url, ["GET /ha/status HTTP/1.1", "Host: node", ...offer]);
    expect(read).toMatchObject({ status: 200, body: { clusterId: "default" } });
    const body = JSON.stringify({ pattern: "one" });
    const head = [
      "Authorization: Bearer apis-token",
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ];
    const written = await sendRaw(url, [
      "POST /api/executions HTTP/1.1",
      "Host: node",
      ...offer,
      ...head,
      "",
      body,
    ]);
    expect(written.status).toBe(202);
    await othersAreServed();
  });

  describe("that was let in", () => {
    it.each<[string, readonly Buffer[], number]>([
      ["a frame without a mask", [frame({ masked: false })], 1002],
      ["a frame of an extension that there is none of", [frame({ rsv: 0x40 })], 1002],
      ["a frame of an unknown kind", [frame({ opcode: 3 })], 1002],
      ["half of a ping", [frame({ opcode: 9, fin: false })], 1002],
      ["a ping that is too long", [frame({ opcode: 9, payload: Buffer.alloc(126) })], 1002],
      ["the rest of what was not begun", [frame({ opcode: 0 })], 1002],
      ["a close with a code that is none", [frame({ opcode: 8, payload: Buffer.from([3, 1]) })], 1002],
      ["text that is not UTF-8", [frame({ payload: Buffer.from([0xff]) })], 1007],
      ["a frame as long as there may be any", [frame({ length: 2n ** 63n - 1n })], 1009],
      [
        "a frame in thousands of fragments",
        [frame({ fin: false }), ...Array.from({ length: 2000 }, () => frame({ opcode: 0, fin: false }))],
        1008,
      ],
    ])("and sends %s is told so, and closed", async (_, frames, code) => {
      const { socket, received } = await upgraded();
      socket.write(Buffer.concat(frames));
      await eventually(() => received().length >= 4);
      expect([received()[0], received().readUInt16BE(2)]).toEqual([0x88, code]);
      await eventually(() => socket.destroyed || socket.readableEnded);
      await othersAreServed();
    });

    it("and sends whatever comes to its mind disturbs nobody", async () => {
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        fc
          .record({
            opcode: fc.constantFrom(0, 1, 2, 8, 9, 10, 11),
            fin: fc.boolean(),
            rsv: fc.constantFrom(0, 0, 0, 0x40),
            payload: fc.oneof(
              fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
              fc.json().map((text) => Buffer.from(text)),
              fc.constant(Buffer.from(JSON.stringify(hello()))),
            ),
          })
          .map(frame),
      );
      const end = fc.constantFrom("end", "destroy", "reset");
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 20 }), end, async (pieces, how) => {
          const { socket } = await upgraded();
          for (const data of pieces) socket.write(data);
          await new Promise((resolve) => setImmediate(resolve));
          if (how === "end") socket.end();
          else if (how === "destroy") socket.destroy();
          else socket.resetAndDestroy();
          if (how === "end") await eventually(() => socket.readableEnded || socket.destroyed);
          socket.destroy();
        }),
        { numRuns: 60 },
      );
      await othersAreServed();
    });

    it("and closes its half of the connection without a word is gone", async () => {
      const { socket, received } = await upgraded();
      socket.write(frame({ payload: Buffer.from(JSON.stringify(hello({ name: "half" }))) }));
      await eventually(() => received().includes("welcome"));
      const { agents } = nodes.client(0, "apis-token");
      const half = await eventually(async () =>
        (await agents.list()).agents.find(({ name }) => name === "half"),
      );
      socket.end();
      await eventually(
        async () => (await agents.get(half.id).catch(() => undefined))?.status !== "connected",
      );
      socket.destroy();
    });

    it("and pings thousands of times at once gets few answers, and its hello is heard", async () => {
      const { socket, received } = await upgraded();
      const pings = Array.from({ length: 4000 }, (_, index) =>
        frame({ opcode: 9, payload: Buffer.from(String(index)) }),
      );
      socket.write(Buffer.concat([...pings, frame({ payload: Buffer.from(JSON.stringify(hello())) })]));
      await eventually(() => received().includes("welcome"));
      const answers = received().toString("latin1").split("\x8a").length - 1;
      expect(answers).toBeGreaterThan(0);
      expect(answers).toBeLessThan(200);
      socket.destroy();
    });

    it("and pours on after its end is cut off, while others are served", async () => {
      const { socket, received } = await upgraded();
      const flood = frame({ opcode: 2, payload: Buffer.alloc(10_000_000) });
      const ended = once(socket, "close");
      const pour = (): void => {
        while (socket.write(flood));
      };
      socket.on("drain", pour);
      pour();
      await eventually(() => received().length >= 4);
      expect([received()[0], received().readUInt16BE(2)]).toEqual([0x88, 1009]);
      await othersAreServed();
      await ended;
    });

    it("and uses its session twice at once has one connection of it", async () => {
      const first = await openSocket(url, "agents-token");
      first.send(hello());
      const { agentId, resumeToken } = await first.next("welcome");
      const both = await Promise.all([openSocket(url, "agents-token"), openSocket(url, "agents-token")]);
      for (const agent of both) agent.send(hello({ agentId, resumeToken, connection: 2 }));
      expect(await first.closed).toBe(closeCodes.replaced);
      expect(await Promise.race(both.map(({ closed }) => closed))).toBe(closeCodes.replaced);
      const welcomed = both.filter(({ frames }) => frames.some(({ type }) => type === "welcome"));
      expect(welcomed).toHaveLength(1);
      for (const agent of both) agent.close();
    });
  });

  it("that begins many requests and ends none keeps nobody out, nor the node from ending", async () => {
    const sockets = Array.from({ length: 200 }, () => connect(Number(new URL(url).port), "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.write("GET /ws/agent HTTP/1.1\r\nUpgrade: websocket\r\n");
    }
    await othersAreServed();
    const further = await nodes.start("node-further");
    const waiting = connect(Number(new URL(further.url).port), "127.0.0.1");
    waiting.on("error", () => {});
    waiting.write("GET /ws/agent HTTP/1.1\r\n");
    await further.stop();
    for (const socket of [...sockets, waiting]) socket.destroy();
  });
});

/** The bytes of a frame, right or wrong. The mask, where there is one, is zero. */
function frame(options: {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  readonly payload?: Buffer;
  /** What it says of its length. */
  readonly length?: bigint;
}): Buffer {
  const { opcode = 1, fin = true, rsv = 0, masked = true, payload = Buffer.from("{}") } = options;
  const { length = BigInt(payload.length) } = options;
  const first = (fin ? 0x80 : 0) | rsv | opcode;
  const mask = Buffer.alloc(masked ? 4 : 0);
  if (length < 126n)
    return Buffer.concat([Buffer.from([first, (masked ? 0x80 : 0) | Number(length)]), mask, payload]);
  const head = Buffer.from([first, (masked ? 0x80 : 0) | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(length, 2);
  return Buffer.concat([head, mask, payload]);
}
