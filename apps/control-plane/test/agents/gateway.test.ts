import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { noopLogger, systemClock } from "@parallax/core";
import { expect, it } from "vitest";
import type { AgentSocket } from "../../src/agents/connection.ts";
import { createGateway } from "../../src/agents/gateway.ts";
import { createAuthenticator } from "../../src/http/auth.ts";
import { listen } from "../../src/listen.ts";
import { sendRaw, upgradeLines } from "../support/sockets.ts";

it("a door that was closed sends agents elsewhere for as long as the server listens", async () => {
  const listening = await listen({
    host: "127.0.0.1",
    port: 0,
    fetch: () => new Response(null, { status: 426 }),
    clock: systemClock,
    logger: noopLogger,
  });
  const gateway = createGateway({
    server: listening.server,
    hub: { accept: (socket) => socket.close() },
    authenticator: createAuthenticator([]),
    logger: noopLogger,
    maxPayloadBytes: 1000,
    limits: { total: 10, perAddress: 10, perToken: 10 },
    isOpen: () => true,
  });
  const url = `http://127.0.0.1:${listening.port}`;
  gateway.close();
  const answer = await sendRaw(url, upgradeLines());
  await listening.close(0);
  expect(answer).toMatchObject({ status: 503, body: { error: { code: "not_ready" } } });
  expect(answer.text).toMatch(/^Retry-After: \d+\r$/m);
});

it("a frame that comes in thousands of bits takes no more memory than one that comes at once", async () => {
  const server = createServer();
  let accepted: AgentSocket | undefined;
  createGateway({
    server,
    hub: {
      accept(socket) {
        accepted = socket;
        socket.on("error", () => {});
      },
    },
    authenticator: createAuthenticator([]),
    logger: noopLogger,
    maxPayloadBytes: 1_048_576,
    limits: { total: 10, perAddress: 10, perToken: 10 },
    isOpen: () => true,
  });
  const written: Buffer[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      written.push(chunk);
      done();
    },
  });
  const headers = Object.fromEntries(
    upgradeLines()
      .slice(1)
      .map((line) => line.split(": "))
      .map(([name = "", value]) => [name.toLowerCase(), value]),
  );
  const request = { method: "GET", url: "/ws/agent", headers, socket: {} };
  server.emit("upgrade", request, stream, Buffer.alloc(0));
  stream.push(Buffer.from([0x81, 0x80 | 127, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0]));
  let bits = 0;
  for (; accepted?.readyState === 1 && bits < 10_000; bits += 1) {
    stream.push("x");
    if (bits % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(bits).toBeGreaterThan(4000);
  expect(bits).toBeLessThan(5000);
  expect(Buffer.concat(written).subarray(-2).readUInt16BE()).toBe(1008);
  stream.destroy();
});
