import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections, and so that ten thousand more is a port as well. */
const lowest = 20_000;
const highest = 31_999;
const attempts = 200;

/**
 * A port of 127.0.0.1 that nobody listens on at this moment. Somebody may a moment later, so be ready to take another.
 * `also` says which ports, counted from the one that is returned, must be free as well: a Cluster node takes 10 000 more.
 */
export async function freePort(also: readonly number[] = []): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    const free = await Promise.all([0, ...also].map((offset) => isFree(port + offset)));
    if (free.every(Boolean)) return port;
  }
  throw new Error(`none of ${attempts} ports between ${lowest} and ${highest} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
