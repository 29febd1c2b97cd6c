import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** Headers of one connection, not of the request. */
const ofConnection = new Set(["connection", "upgrade", "http2-settings"]);

/**
 * Answers a request as if it had not offered to go on in another protocol: clients that would rather have HTTP/2 offer that with every
 * request (RFC 9110, 7.8), and a server that has a listener for upgrades gets all of them there.
 */
export function stayOnHttp1(
  server: Pick<Server, "emit">,
  { method, url, rawHeaders, headers }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const isLast = /\bclose\b/i.test(headers.connection ?? "");
  const lines = [`${method} ${url} HTTP/1.1`, ...(isLast ? ["Connection: close"] : [])];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (!ofConnection.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  // The server reads it once more, on what is a new connection to it.
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  server.emit(socket instanceof TLSSocket ? "secureConnection" : "connection", socket);
}
