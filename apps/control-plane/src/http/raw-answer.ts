import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { randomId } from "@parallax/core";
import type { ErrorBody } from "@parallax/protocol";

/** Why a request is refused before there is anything to answer it with. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Answers on the socket itself, as the API answers errors, and ends it. */
export function answerRaw(socket: Duplex, { status, code, message }: Refusal): void {
  const error: ErrorBody = { error: { code, message }, requestId: randomId("req_") };
  const body = JSON.stringify(error);
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    ...(status === 503 || status === 429 ? ["Retry-After: 2"] : []),
    ...(status === 401 ? ["WWW-Authenticate: Bearer"] : []),
  ];
  // The server no longer watches over this socket: a client that keeps its half open must not keep the node from ending.
  socket.once("finish", () => socket.destroy());
  socket.end(`${headers.join("\r\n")}\r\n\r\n${body}`);
}

/** Answers what no request could be made of, as the API answers errors: a listener of `clientError`. */
export function answerUnreadable({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.writable && code !== "ECONNRESET") answerRaw(socket, unreadable(code));
  else socket.destroy();
}

function unreadable(code: string | undefined): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") {
    const message = "reading the request: its headers are too long; send 16 KiB at most";
    return { status: 431, code: "headers_too_large", message };
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = "reading the request: it did not arrive in time; send it at once";
    return { status: 408, code: "request_timeout", message };
  }
  const message = "reading the request: this is no HTTP; send HTTP/1.1";
  return { status: 400, code: "invalid_request", message };
}
