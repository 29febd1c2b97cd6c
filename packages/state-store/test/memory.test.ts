import { memoryEventLogSpace } from "@parallax/event-bus/memory";
import { createVirtualClock, describeBackend } from "@parallax/testing";
import { describe, it } from "vitest";
import { type RecordSpace, recordBackendConformance } from "../src/conformance.ts";
import { memoryRecordBackend, memoryRecordSpace } from "../src/memory.ts";

function makeSpace(partitions: number): RecordSpace {
  const clock = createVirtualClock();
  const log = memoryEventLogSpace({ partitions });
  const space = memoryRecordSpace({ log, clock, partitions });
  return {
    connect: async () => memoryRecordBackend(space),
    pass: (ms) => clock.advance(ms),
    async events(topic) {
      const all = Array.from({ length: partitions }, (_, partition) => log.log(topic, partition).entries);
      return all.flat().map(({ event }) => event);
    },
    async [Symbol.asyncDispose]() {},
  };
}

for (const partitions of [1, 4]) {
  describeBackend("memory", `records in ${partitions} partition(s)`, () => {
    recordBackendConformance({ describe, it }, async () => makeSpace(partitions), { partitions });
  });
}
