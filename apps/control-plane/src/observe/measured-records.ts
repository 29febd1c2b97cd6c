import type { Clock } from "@parallax/core";
import type { Metrics } from "@parallax/metrics";
import type { RecordBackend } from "@parallax/state-store";
import { timer } from "./measured-connections.ts";

/** The same backend, which tells of every operation how long it took, and of every change what became of it. */
export function measureRecords(
  backend: RecordBackend,
  clock: Clock,
  metrics: Pick<Metrics, "observeStore" | "countChange">,
): RecordBackend {
  const timed = <T>(operation: string, act: () => Promise<T>): Promise<T> =>
    timer(clock, (outcome, seconds) => metrics.observeStore({ operation, outcome, seconds }))(act);
  return {
    partitions: backend.partitions,
    partitionOf: (id) => backend.partitionOf(id),
    keyOf: (collection, id) => backend.keyOf(collection, id),
    async mutate(...call) {
      const result = await timed("mutate", () => backend.mutate(...call));
      for (const { outcome } of result.outcomes) metrics.countChange(outcome);
      return result;
    },
    read: (...call) => timed("read", () => backend.read(...call)),
    versions: (...call) => timed("versions", () => backend.versions(...call)),
    inbox: (...call) => timed("inbox", () => backend.inbox(...call)),
    log: (...call) => timed("log", () => backend.log(...call)),
    scan: (...call) => timed("scan", () => backend.scan(...call)),
    count: (...call) => timed("count", () => backend.count(...call)),
    values: (...call) => timed("values", () => backend.values(...call)),
    expired: (...call) => timed("expired", () => backend.expired(...call)),
    raiseFence: (...call) => timed("raise-fence", () => backend.raiseFence(...call)),
    time: () => timed("time", () => backend.time()),
    memory: (...call) => timed("memory", () => backend.memory(...call)),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}
