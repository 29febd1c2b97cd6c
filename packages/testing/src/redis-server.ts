import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Redis, type RedisOptions } from "ioredis";
import {
  endProcess,
  type RedisProcess,
  retryPort,
  startOnFreePort,
  startRedisProcess,
} from "./redis-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/** Options of {@link startRedis}. */
export interface RedisFixtureOptions {
  /** Further configuration, such as `{ "maxmemory": "8mb" }`; a list where a directive takes several words. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>;
  /** Whether data survive a restart (AOF, each write). Default false. */
  readonly persistent?: boolean;
}

/** A Redis server of the test's own: a free port of 127.0.0.1, a temporary folder, gone when it is stopped. */
export interface RedisFixture {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** A client of ioredis that is disconnected when the server is stopped. */
  client(options?: RedisOptions): Redis;
  /** One command on a connection of its own, for what a test arranges. */
  send(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
  /** SIGSTOP: the sockets stay open and nobody answers. */
  pause(): void;
  /** SIGCONT: what was sent meanwhile is done now. */
  resume(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Kills it if it runs and starts it again on the same port. */
  restart(options?: {
    /** Default: those of a persistent server. `false` removes them, as a new disk would. */
    readonly keepData?: boolean;
  }): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a Redis server, without persistence unless it is asked for, and waits until it answers. It ends with this process,
 * however that ends.
 */
export async function startRedis(options: RedisFixtureOptions = {}): Promise<RedisFixture> {
  const { config = {}, persistent = false } = options;
  const durability = { save: "", appendonly: persistent ? "yes" : "no", appendfsync: "always" };
  return createRedisFixture((port, directory) => ({
    args: redisArguments({ port: String(port), bind: "127.0.0.1", dir: directory, ...durability, ...config }),
  }));
}

/** `--key value` for each setting. */
export function redisArguments(
  settings: Readonly<Record<string, string | readonly string[]>>,
): readonly string[] {
  return Object.entries(settings).flatMap(([key, value]) => [`--${key}`].concat(value));
}

/** How a fixture's process is started in its folder. */
export type RedisLaunch = (
  port: number,
  directory: string,
) => { readonly args: readonly string[] } | Promise<{ readonly args: readonly string[] }>;

/** A fixture around one process. `also`: ports that it needs besides its own, counted from that. */
export async function createRedisFixture(
  launch: RedisLaunch,
  also: readonly number[] = [],
): Promise<RedisFixture> {
  const directory = await createTemporaryDirectory("redis");
  const start = async (port: number): Promise<RedisProcess> => {
    const { args } = await launch(port, directory.path);
    return startRedisProcess({ port, directory: directory.path, args });
  };
  let running = await startOnFreePort(start, also).catch(async (error: unknown) => {
    await directory.remove();
    throw error;
  });
  const { port } = running;
  const url = `redis://127.0.0.1:${port}`;
  const clients = new Set<Redis>();

  const fixture: RedisFixture = {
    port,
    url,
    get pid() {
      return running.child.pid;
    },
    client(clientOptions = {}) {
      const client = new Redis(url, clientOptions);
      // A test that stops its server on purpose is not interested in each failed attempt to reach it.
      client.on("error", () => {});
      clients.add(client);
      return client;
    },
    send: (command, ...args) => sendTo(port, command, args),
    pause: () => running.child.signal("SIGSTOP"),
    resume: () => running.child.signal("SIGCONT"),
    kill: () => endProcess(running.child),
    async restart({ keepData = true } = {}) {
      await endProcess(running.child);
      if (!keepData) {
        const files = await readdir(directory.path);
        await Promise.all(files.map((file) => rm(join(directory.path, file), { recursive: true })));
      }
      running = await retryPort(() => start(port));
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await endProcess(running.child);
      await directory.remove();
    },
    [Symbol.asyncDispose]: () => fixture.stop(),
  };
  return fixture;
}

async function sendTo(port: number, command: string, args: readonly (string | number)[]): Promise<unknown> {
  const client = new Redis({
    port,
    host: "127.0.0.1",
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
    commandTimeout: 5000,
  });
  // Its command rejects with the same.
  client.on("error", () => {});
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}
