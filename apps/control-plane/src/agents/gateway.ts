import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { isParallaxError, type Logger, randomId } from "@parallax/core";
import { agentPath, agentSubprotocol, type ErrorBody } from "@parallax/protocol";
import { WebSocketServer } from "ws";
import type { Authenticator } from "../http/auth.ts";
import type { Hub } from "./hub.ts";

export interface GatewayOptions {
  readonly server: Pick<Server, "on" | "off">;
  readonly hub: Pick<Hub, "accept">;
  readonly authenticator: Authenticator;
  readonly logger: Logger;
  readonly maxPayloadBytes: number;
  /** Whether the node takes agents at present. */
  readonly isOpen: () => boolean;
}

/** The agents' door: checks an upgrade before anything is accepted, and hands the socket to the hub. */
export interface Gateway {
  close(): void;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { server, hub, authenticator, logger, maxPayloadBytes, isOpen } = options;
  const settings = {
    noServer: true,
    maxPayload: maxPayloadBytes,
    perMessageDeflate: false,
    clientTracking: false,
    // ws waits 30 s for the other side to close; a drain has no such time.
    closeTimeout: 3000,
    handleProtocols: (offered: Set<string>) =>
      offered.has(agentSubprotocol) ? agentSubprotocol : (false as const),
  };
  const sockets = new WebSocketServer(settings);

  /** Why this request gets no WebSocket, if it gets none. */
  function refusalOf({ url, headers }: IncomingMessage): Refusal | undefined {
    // Not parsed as a URL: a target need not be one, and nothing may throw here.
    const [pathname] = (url ?? "/").split("?");
    if (pathname !== agentPath) {
      return {
        status: 404,
        code: "not_found",
        message: `upgrading ${pathname}: agents connect to ${agentPath}`,
      };
    }
    if (!isOpen()) {
      const message = "connecting an agent: this node takes none now; try another one, or later";
      return { status: 503, code: "not_ready", message };
    }
    try {
      authenticator.require(headers.authorization, "agent");
    } catch (error) {
      if (!isParallaxError(error)) throw error;
      return { status: error.code === "forbidden" ? 403 : 401, code: error.code, message: error.message };
    }
    const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
    if (offered.includes(agentSubprotocol)) return undefined;
    const message = `connecting an agent: this node speaks ${agentSubprotocol}; offer it as a subprotocol`;
    return { status: 400, code: "unsupported_version", message };
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", (error) => logger.debug("a socket failed during its upgrade", { error }));
    const refusal = refusalOf(request);
    if (refusal) refuse(socket, refusal);
    else sockets.handleUpgrade(request, socket, head, (accepted) => hub.accept(accepted));
  }

  server.on("upgrade", onUpgrade);
  return {
    close() {
      server.off("upgrade", onUpgrade);
      sockets.close();
    },
  };
}

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  503: "Service Unavailable",
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const error: ErrorBody = { error: { code, message }, requestId: randomId("req_") };
  const body = JSON.stringify(error);
  const headers = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Error"}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    ...(status === 503 ? ["Retry-After: 2"] : []),
    ...(status === 401 ? ["WWW-Authenticate: Bearer"] : []),
  ];
  // The server no longer watches over this socket: a client that keeps its half open must not keep the node from ending.
  socket.once("finish", () => socket.destroy());
  socket.end(`${headers.join("\r\n")}\r\n\r\n${body}`);
}
