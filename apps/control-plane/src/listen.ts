import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { type Clock, ParallaxError } from "@parallax/core";

/** A server that listens. */
export interface Listening {
  readonly server: Server;
  readonly port: number;
  /** Stops accepting, ends idle connections at once and the others after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Listens on a port. @throws ParallaxError `port_in_use`, `cannot_listen` */
export async function listen(options: {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
}): Promise<Listening> {
  const { fetch, host, port, clock } = options;
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server;
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

function listenError(error: NodeJS.ErrnoException, host: string, port: number): ParallaxError {
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") {
    const message = `listening on ${where}: another process has this port; stop it, or choose another with server.port or PARALLAX_PORT`;
    return new ParallaxError("port_in_use", message, { cause: error });
  }
  const message = `listening on ${where}: ${error.message}; check server.host and server.port`;
  return new ParallaxError("cannot_listen", message, { cause: error });
}
