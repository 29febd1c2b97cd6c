import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { Redis } from "ioredis";

/** The Redis that has the lease. */
export interface RedisServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The one of `REDIS_URL`, or one of the example's own. */
export async function openRedis(redisUrl: string | undefined): Promise<RedisServer> {
  if (redisUrl !== undefined && redisUrl !== "") return { url: redisUrl, stop: async () => {} };
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  probe.close();
  await once(probe, "close");
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const server = spawn("redis-server", settings, { stdio: "ignore" });
  await Promise.race([once(server, "spawn"), notInstalled(once(server, "error"))]);
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50 });
  client.on("error", () => {});
  await client.ping();
  client.disconnect();
  return {
    url,
    async stop() {
      server.kill("SIGKILL");
      await once(server, "exit");
    },
  };
}

async function notInstalled(failed: Promise<unknown>): Promise<never> {
  await failed;
  throw new Error("redis-server is not installed; on Debian: apt-get install -y redis-server");
}
