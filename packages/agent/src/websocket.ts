import type { IncomingMessage } from "node:http";
import { errorMessage } from "@parallax/core";
import { agentSubprotocol } from "@parallax/protocol";
import { WebSocket } from "ws";
import type { Connection, Transport, TransportEnd } from "./transport.ts";

/** Connections over WebSocket, with `ws`. No compression: it costs more memory than it saves for frames like these. */
export const webSocketTransport: Transport = ({ url, token, maxPayloadBytes }, listener): Connection => {
  const socket = new WebSocket(url, [agentSubprotocol], {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    maxPayload: maxPayloadBytes,
    perMessageDeflate: false,
    followRedirects: false,
  });
  let refusal: TransportEnd["refusal"];
  let failure: string | undefined;

  socket.on("open", () => listener.opened());
  socket.on("message", (data, isBinary) => (isBinary ? listener.alive() : listener.received(String(data))));
  socket.on("ping", () => listener.alive());
  socket.on("unexpected-response", (request, response) => {
    refusal = { status: response.statusCode ?? 0, retryAfterMs: retryAfterMs(response) };
    request.destroy();
    socket.terminate();
  });
  socket.on("error", (error) => {
    failure = errorMessage(error);
  });
  socket.on("close", (code, reason) => {
    if (refusal) return listener.ended({ code, reason: `HTTP ${refusal.status}`, refusal });
    listener.ended({ code, reason: reason.length > 0 ? reason.toString() : (failure ?? "") });
  });
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
};

/** `Retry-After` in milliseconds, where it is given as seconds. A date would need both clocks to agree (T2). */
function retryAfterMs(response: IncomingMessage): number | undefined {
  const text = response.headers["retry-after"];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined;
}
