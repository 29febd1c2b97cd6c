import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { isParallaxError, type Logger, randomId } from "@parallax/core";
import { agentPath, agentSubprotocol, type ErrorBody } from "@parallax/protocol";
import { WebSocketServer } from "ws";
import type { Authenticator } from "../http/auth.ts";
import { type ConnectionLimits, createDoorkeeper } from "./doorkeeper.ts";
import type { Hub } from "./hub.ts";

export interface GatewayOptions {
  readonly server: Pick<Server, "on" | "off">;
  readonly hub: Pick<Hub, "accept">;
  readonly authenticator: Authenticator;
  readonly logger: Logger;
  readonly maxPayloadBytes: number;
  readonly limits: ConnectionLimits;
  /** Whether the node takes agents at present. */
  readonly isOpen: () => boolean;
}

/** The agents' door: checks an upgrade before anything is accepted, and hands the socket to the hub. */
export interface Gateway {
  close(): void;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { server, hub, authenticator, logger, maxPayloadBytes, limits, isOpen } = options;
  const doorkeeper = createDoorkeeper(limits);
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

  /** Who this is, or why this request gets no WebSocket. */
  function check({ url, headers }: IncomingMessage): Checked {
    // Not parsed as a URL: a target need not be one, and nothing may throw here.
    const [pathname] = (url ?? "/").split("?");
    if (pathname !== agentPath) {
      const message = `upgrading ${pathname}: agents connect to ${agentPath}`;
      return { status: 404, code: "not_found", message };
    }
    if (!isOpen()) {
      const message = "connecting an agent: this node takes none now; try another one, or later";
      return { status: 503, code: "not_ready", message };
    }
    let caller: string;
    try {
      caller = authenticator.require(headers.authorization, "agent").name;
    } catch (error) {
      if (!isParallaxError(error)) throw error;
      return { status: error.code === "forbidden" ? 403 : 401, code: error.code, message: error.message };
    }
    const offered = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
    if (offered.includes(agentSubprotocol)) return { caller };
    const message = `connecting an agent: this node speaks ${agentSubprotocol}; offer it as a subprotocol`;
    return { status: 400, code: "unsupported_version", message };
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", (error) => logger.debug("a socket failed during its upgrade", { error }));
    const checked = check(request);
    const admitted = "status" in checked ? checked : admit(request, socket, checked.caller);
    if ("status" in admitted) refuse(socket, admitted);
    else sockets.handleUpgrade(request, socket, head, (accepted) => hub.accept(accepted, admitted.caller));
  }

  function admit(
    { socket: { remoteAddress = "" } }: IncomingMessage,
    socket: Duplex,
    caller: string,
  ): Checked {
    const full = doorkeeper.admit(remoteAddress, caller, socket);
    if (full === undefined) return { caller };
    const message = `connecting an agent: ${full} has as many connections to this node as it may; try another one, or later`;
    return { status: 429, code: "too_many_connections", message };
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
  429: "Too Many Requests",
  503: "Service Unavailable",
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** What came of a look at a request. */
type Checked = Refusal | { readonly caller: string };

function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const error: ErrorBody = { error: { code, message }, requestId: randomId("req_") };
  const body = JSON.stringify(error);
  const headers = [
    `HTTP/1.1 ${status} ${reasons[status] ?? "Error"}`,
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
