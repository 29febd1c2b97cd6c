import { noopLogger, systemClock } from "@parallax/core";
import { expect, it } from "vitest";
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
