import type { Server } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import { createAdaptorServer } from "@hono/node-server";
import { type CancelTimer, type Clock, errorMessage, type Logger, ParallaxError } from "@parallax/core";
import { answerUnreadable } from "./http/raw-answer.ts";
import { followCertificate, readCertificate, type TlsFiles } from "./tls.ts";

/** A server that listens. */
export interface Listening {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, ends idle connections at once and the others after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Longer than load balancers keep a connection without requests: who sends one into a closing connection gets an error. */
const keepAliveMs = 75_000;

export interface ListenOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly host: string;
  readonly port: number;
  /** HTTPS with this certificate. Default: HTTP. */
  readonly tls?: TlsFiles | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Listens on a port. @throws ParallaxError `port_in_use`, `cannot_listen`, `invalid_config` */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { host, port, clock } = options;
  const { server, stopFollowing } = serverOf(options);
  server.keepAliveTimeout = keepAliveMs;
  server.on("clientError", answerUnreadable);
  // HTTP/1.0 needs no Host, and the checks of load balancers have none.
  server.prependListener("request", (request) => {
    request.headers.host ??= "localhost";
  });
  await new Promise<void>((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
    server.once("error", onError);
    server.listen(port, host, () => {
      server.off("error", onError);
      resolve();
    });
  });
  const address = server.address();
  return {
    server,
    port: typeof address === "object" && address !== null ? address.port : port,
    close(graceMs) {
      stopFollowing();
      return new Promise((resolve) => {
        const cancel = clock.after(graceMs, () => server.closeAllConnections());
        server.close(() => {
          cancel();
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

function serverOf({ fetch, tls, clock, logger }: ListenOptions): {
  readonly server: Server;
  readonly stopFollowing: CancelTimer;
} {
  // The server takes the place of `Request` and `Response` in this process: an answer costs half of what Node's own would.
  const common = { fetch };
  if (!tls) return { server: createAdaptorServer(common) as Server, stopFollowing: () => {} };
  const current = readCertificate(tls);
  try {
    const server = createAdaptorServer({
      ...common,
      createServer: createHttpsServer,
      serverOptions: current,
    }) as Server;
    const follows = server instanceof HttpsServer;
    const stopFollowing = follows
      ? followCertificate({ files: tls, current, server, clock, logger })
      : () => {};
    return { server, stopFollowing };
  } catch (cause) {
    const message = `reading server.tls: ${errorMessage(cause)}; give a certificate and the key that belongs to it, as PEM`;
    throw new ParallaxError("invalid_config", message, { cause });
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): ParallaxError {
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") {
    const message = `listening on ${where}: another process has this port; stop it, or choose another with server.port or PARALLAX_PORT`;
    return new ParallaxError("port_in_use", message, { cause: error });
  }
  const message = `listening on ${where}: ${error.message}; check server.host and server.port`;
  return new ParallaxError("cannot_listen", message, { cause: error });
}
