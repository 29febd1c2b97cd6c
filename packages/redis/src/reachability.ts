import type { Clock, TimeMark } from "@parallax/core";
import type { RedisConnection } from "./connection.ts";
import type { KeySpace } from "./key-space.ts";
import { defineScript } from "./script.ts";

/** Whether what a node works with works, part by part: its subscriber, and each partition through its data connection. */
export interface Reachability {
  /** Looks, again and again, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The parts that did not work at the last look: `subscriber`, `data`, on Cluster `partition 3`. */
  readonly broken: readonly string[];
  /** Those of them that have not worked for so many milliseconds at least. */
  brokenFor(ms: number): readonly string[];
}

/** What {@link createReachability} needs. */
export interface ReachabilityOptions {
  readonly connections: {
    readonly data: Pick<RedisConnection, "run">;
    readonly subscriber: Pick<RedisConnection, "state">;
  };
  readonly keySpace: Pick<KeySpace, "partitions" | "partitioned">;
  readonly clock: Clock;
  /** The time between looks, in milliseconds; half of it is what an answer may take. */
  readonly everyMs: number;
  /** Called when other parts are broken than before. */
  readonly onChange?: (broken: readonly string[]) => void;
}

const probe = defineScript({
  name: "redis.probe",
  lua: "return redis.call('EXISTS', KEYS[1])",
  readOnly: true,
});

/**
 * Goes by answers, not by what a socket says of itself: a shard that only this node cannot reach leaves a Cluster client
 * ready, and a connection that opens and then hangs looks open.
 */
export function createReachability(options: ReachabilityOptions): Reachability {
  const { connections, keySpace, clock, everyMs, onChange = () => {} } = options;
  const { partitions } = keySpace;
  const names = Array.from({ length: partitions }, (_, index) =>
    partitions === 1 ? "data" : `partition ${index}`,
  );
  /** When each part was last seen to work; before the first look all are held to. */
  const worked = new Map<string, TimeMark>(["subscriber", ...names].map((name) => [name, clock.mark()]));
  let broken: readonly string[] = [];

  async function works(partition: number): Promise<boolean> {
    try {
      await connections.data.run(probe, [keySpace.partitioned(partition, "probe")], [], {
        deadlineMs: everyMs / 2,
      });
      return true;
    } catch {
      return false;
    }
  }

  async function look(): Promise<void> {
    const mark = clock.mark();
    const answers = await Promise.all(names.map((_, partition) => works(partition)));
    const found = [connections.subscriber.state === "ready", ...answers];
    const all = ["subscriber", ...names];
    for (const [index, name] of all.entries()) if (found[index]) worked.set(name, mark);
    const now = all.filter((_, index) => !found[index]);
    const isOther = now.join() !== broken.join();
    broken = now;
    if (isOther) onChange(broken);
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        await look();
        await clock.sleep(everyMs, signal).catch(() => {});
      }
    },
    get broken() {
      return broken;
    },
    brokenFor(ms) {
      return broken.filter((name) => {
        const mark = worked.get(name);
        return mark !== undefined && clock.elapsedAtLeast(mark) >= ms;
      });
    },
  };
}
