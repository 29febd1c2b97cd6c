import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { isParallaxError, type Logger } from "@parallax/core";
import { agentPath, agentSubprotocol } from "@parallax/protocol";
import { WebSocketServer } from "ws";
import type { Authenticator } from "../http/auth.ts";
import { isFromElsewhere } from "../http/origin.ts";
import { answerRaw, type Refusal } from "../http/raw-answer.ts";
import { stayOnHttp1 } from "../http/stay-on-http1.ts";
import { type ConnectionLimits, createDoorkeeper } from "./doorkeeper.ts";
import type { Hub } from "./hub.ts";

export interface GatewayOptions {
  readonly server: Pick<Server, "on" | "emit">;
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
  /** Takes nobody from now on: as long as the server listens, agents are told to try another node. */
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
    // Connections answer pings themselves, no more than one a turn.
    autoPong: false,
    // What is held of one frame that comes in bits; ws has room for 256 Ki of them, which take more than what is in them.
    maxFragments: 1024,
    maxBufferedChunks: Math.max(1024, Math.ceil(maxPayloadBytes / 256)),
    // ws waits 30 s for the other side to close; a drain has no such time.
    closeTimeout: 3000,
    handleProtocols: (offered: Set<string>) =>
      offered.has(agentSubprotocol) ? agentSubprotocol : (false as const),
  };
  const sockets = new WebSocketServer(settings);
  let closed = false;

  /** Who this is, or why this request gets no WebSocket. */
  function check({ url, headers }: IncomingMessage): Checked {
    // Not parsed as a URL: a target need not be one, and nothing may throw here.
    const [pathname] = (url ?? "/").split("?");
    if (pathname !== agentPath) {
      const message = `upgrading ${pathname}: agents connect to ${agentPath}`;
      return { status: 404, code: "not_found", message };
    }
    if (closed || !isOpen()) {
      const message = "connecting an agent: this node takes none now; try another one, or later";
      return { status: 503, code: "not_ready", message };
    }
    const { origin, host } = headers;
    if (authenticator.isOpen && isFromElsewhere({ origin, host })) {
      const message =
        "connecting an agent: a page of somewhere else may not; give the node tokens, and send one";
      return { status: 403, code: "forbidden", message };
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

  const onError = (error: Error): void => logger.debug("an agent's TCP connection failed", { error });

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!/\bwebsocket\b/i.test(request.headers.upgrade ?? "")) {
      stayOnHttp1(server, request, socket, head);
      return;
    }
    socket.on("error", onError);
    const checked = check(request);
    const admitted = "status" in checked ? checked : admit(request, socket, checked.caller);
    if ("status" in admitted) answerRaw(socket, admitted);
    else
      sockets.handleUpgrade(request, socket, head, (accepted) =>
        hub.accept(accepted, admitted.caller, socket),
      );
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

  // What is no handshake in the eyes of ws, which would answer with a page.
  sockets.on("wsClientError", ({ message }, socket) =>
    answerRaw(socket, {
      status: 400,
      code: "invalid_request",
      message: `connecting an agent: ${message}; send the handshake of RFC 6455`,
    }),
  );
  server.on("upgrade", onUpgrade);
  return {
    close() {
      // The door goes on answering: without it an upgrade would come to 426, after which an agent gives up for good.
      closed = true;
      sockets.close();
    },
  };
}

/** What came of a look at a request. */
type Checked = Refusal | { readonly caller: string };
