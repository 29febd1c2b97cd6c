import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { noopLogger, systemClock } from "@parallax/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Listening, listen } from "../../src/listen.ts";
import { errorOf } from "../support/requests.ts";

let server: Listening;
beforeEach(async () => {
  const fetch = () => new Response("unused");
  server = await listen({ fetch, host: "127.0.0.1", port: 0, clock: systemClock, logger: noopLogger });
});
afterEach(() => server.close(0));

it("a request that does not arrive in time is answered 408, and its connection ends", async () => {
  // What Node itself tells after half a minute.
  server.server.once("connection", (socket) => {
    const error = Object.assign(new Error("too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
    socket.once("data", () => server.server.emit("clientError", error, socket));
  });
  const socket = connect({ host: "127.0.0.1", port: server.port });
  socket.write("POST /api/executions HTTP/1.1\r\nHost: here\r\nContent-Le");
  const [head = "", body = ""] = (await text(socket)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(head).toMatch(/^Connection: close$/m);
  expect(errorOf({ status: 408, body: JSON.parse(body) }, 408).code).toBe("request_timeout");
});

it("the time that Node gives is a bound", () => {
  expect(server.server.headersTimeout).toBeGreaterThan(0);
  expect(server.server.requestTimeout).toBeGreaterThan(0);
});
