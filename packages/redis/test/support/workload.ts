import { isParallaxError } from "@parallax/core";
import { eventually } from "@parallax/testing";
import type { RedisConnection, RedisConnections } from "../../src/connection.ts";
import { defineScript } from "../../src/script.ts";

const write = defineScript({ name: "test.write", lua: "return redis.call('INCR', KEYS[1])" });
const channel = "workload";
/** What callers are told to expect while Redis is away. */
const known = ["timeout", "redis_unavailable"] as const;

/** Writes and listens without a pause, through whatever happens to Redis. */
export interface Workload {
  /** Errors that no caller can do anything about, a raw reply of Redis among them. */
  readonly unexpected: readonly unknown[];
  /** Resolves once all keys are written, on both roles, and a message was heard. */
  settled(): Promise<void>;
  /** The same from now on. */
  goesOn(): Promise<void>;
  stop(): Promise<void>;
}

export function createWorkload(connections: RedisConnections, keys: readonly string[]): Workload {
  const unexpected: unknown[] = [];
  const progress = new Map<string, number>();
  let isStopped = false;
  let heard = 0;

  const stopListening = connections.subscriber.listen(
    [channel],
    () => {
      heard += 1;
    },
    () => {},
  );

  async function drive(name: string, act: () => Promise<unknown>): Promise<void> {
    progress.set(name, 0);
    while (!isStopped) {
      try {
        await act();
        progress.set(name, (progress.get(name) ?? 0) + 1);
      } catch (error) {
        if (!known.some((code) => isParallaxError(error, code))) unexpected.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  const writer = (connection: RedisConnection, key: string): Promise<void> =>
    drive(`${connection.role} ${key}`, () => connection.run(write, [key], []));
  const running = [
    ...keys.flatMap((key) => [writer(connections.data, key), writer(connections.lease, key)]),
    drive("publish", () => connections.data.command("PUBLISH", [channel, "tick"])),
  ];

  async function advanced(): Promise<void> {
    const before = new Map(progress);
    const heardBefore = heard;
    await eventually(
      () =>
        heard >= heardBefore + 3 &&
        [...progress].every(([name, count]) => count >= (before.get(name) ?? 0) + 3),
      { timeoutMs: 25_000, message: "all writers and the subscriber to go on" },
    );
  }

  return {
    unexpected,
    settled: advanced,
    goesOn: advanced,
    async stop() {
      isStopped = true;
      stopListening();
      await Promise.all(running);
    },
  };
}
