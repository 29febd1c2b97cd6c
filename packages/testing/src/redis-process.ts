import { createConnection } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import { freePort } from "./free-port.ts";

/** A Redis process as the fixtures start it: a server, a Sentinel or a node of a Cluster. */
export interface RedisProcess {
  readonly port: number;
  readonly child: Child;
}

export interface RedisProcessOptions {
  readonly port: number;
  readonly directory: string;
  /** `--key value` pairs, or a configuration file and `--sentinel`. */
  readonly args: readonly string[];
}

/** `PARALLAX_REDIS_SERVER=valkey-server` runs the tests on another server that speaks Redis. */
const program = process.env.PARALLAX_REDIS_SERVER ?? "redis-server";

const startTimeoutMs = 15_000;
const maxStarts = 5;

/** Its own words say that it has the port: an answer to PING could come from somebody else's server. */
const listening = /Ready to accept connections|Sentinel ID is/;

/** Starts the server and waits until it listens and answers. */
export async function startRedisProcess(options: RedisProcessOptions): Promise<RedisProcess> {
  const { port, directory, args } = options;
  const child = await startChild({ command: program, args, cwd: directory }).catch((error: unknown) => {
    const remedy = "on Debian: apt-get install -y redis-server redis-sentinel redis-tools";
    throw new Error(`${program} can't be started; install it, ${remedy}`, { cause: error });
  });
  const output = (): string => child.lines.join("\n");
  const untilMs = performance.now() + startTimeoutMs;
  while (!(listening.test(output()) && (await answersPing(port)))) {
    if (child.exit) await child.exited;
    if (/Address already in use/.test(output())) throw new PortTaken(`port ${port} is taken`);
    if (child.exit) throw new Error(`${program} on port ${port} has ended:\n${output()}`);
    if (performance.now() > untilMs) {
      await endProcess(child);
      throw new Error(`${program} on port ${port} did not answer in ${startTimeoutMs} ms:\n${output()}`);
    }
    await sleep(10);
  }
  return { port, child };
}

/** Kills a process and waits until it is gone. */
export async function endProcess(child: Child): Promise<void> {
  child.signal("SIGKILL");
  await child.exited;
}

class PortTaken extends Error {}

/**
 * Starts on a free port, and on another one if somebody was quicker. `also`: the ports, counted from that one, which must be
 * free too.
 */
export function startOnFreePort<T>(
  start: (port: number) => Promise<T>,
  also: readonly number[] = [],
): Promise<T> {
  return retryPort(async () => start(await freePort(also)));
}

/** Starts again, with patience, on a port that it had before: the system may not have given it back yet. */
export async function retryPort<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt >= maxStarts || !(error instanceof PortTaken)) throw error;
      await sleep(50 * attempt);
    }
  }
}

/** Whether a Redis server answers PING on the port, be it only to ask for a password. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => finish(/^(\+PONG|-NOAUTH|-DENIED)/.test(data.toString())));
  });
}
