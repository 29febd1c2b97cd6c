import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

export interface RedisFixtureOptions {
  /** Further configuration, such as `{ "maxmemory": "8mb" }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** Whether data survive a restart (AOF, each write). Default false. */
  readonly persistent?: boolean;
}

/** A Redis server of the test's own: a free port of 127.0.0.1, a temporary folder, gone when it is stopped. */
export interface RedisFixture {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** SIGSTOP: the sockets stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Kills it if it runs and starts it again on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const maxStarts = 5;

/**
 * Starts a Redis server and waits until it answers. It ends with this process, however that ends: it watches its standard
 * input through a shell, so that nothing is left running.
 */
export async function startRedis(options: RedisFixtureOptions = {}): Promise<RedisFixture> {
  const directory = await mkdtemp(join(tmpdir(), "parallax-redis-"));
  let server: Running | undefined;
  for (let attempt = 1; server === undefined; attempt += 1) {
    try {
      server = await launch(directory, await freePort(), options);
    } catch (error) {
      if (attempt >= maxStarts) throw error;
    }
  }
  return fixtureOf(server, directory, options);
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly pid: number;
}

function fixtureOf(started: Running, directory: string, options: RedisFixtureOptions): RedisFixture {
  let running = started;
  const { port } = started;
  const fixture: RedisFixture = {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running.pid;
    },
    pause: () => void process.kill(running.pid, "SIGSTOP"),
    resume: () => void process.kill(running.pid, "SIGCONT"),
    kill: () => end(running),
    async restart() {
      await end(running);
      running = await launch(directory, port, options);
    },
    async stop() {
      await end(running);
      await rm(directory, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => fixture.stop(),
  };
  return fixture;
}

async function launch(directory: string, port: number, options: RedisFixtureOptions): Promise<Running> {
  const { config = {}, persistent = false } = options;
  const settings: Record<string, string> = {
    port: String(port),
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    appendonly: persistent ? "yes" : "no",
    appendfsync: "always",
    ...config,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  // The shell ends the server as soon as its own standard input closes, which it does when this process is gone.
  const script =
    'redis-server "$@" & echo "pid $!"; server=$!; (cat >/dev/null; kill -9 $server 2>/dev/null) <&3 & wait $server';
  const child = spawn("sh", ["-c", `exec 3<&0; ${script}`, "redis", ...flags], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${hint(output)}`);
      return ping(port);
    },
    { message: `redis-server on port ${port}: ${hint(output)}` },
  );
  const pid = Number(/pid (\d+)/.exec(output)?.[1]);
  return { child, port, pid };
}

function hint(output: string): string {
  if (!/not found/.test(output)) return output.slice(-2000);
  return "redis-server is not installed; on Debian: apt-get install -y redis-server redis-sentinel redis-tools";
}

async function end({ child, pid }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself a moment ago.
  }
  child.stdin?.end();
  await ended;
}

/** Whether a Redis server answers PING on the port. */
function ping(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.once("error", reject);
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString().startsWith("+PONG"));
    });
  });
}
