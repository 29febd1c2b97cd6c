import { describe, expect, it } from "vitest";
import { topicLogConformance } from "../src/conformance.ts";
import { memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";

for (const partitions of [1, 4]) {
  describe(`[memory] with ${partitions} partition(s)`, () => {
    topicLogConformance(
      { describe, it },
      async () => {
        const space = memoryEventLogSpace({ partitions, maxEntries: 1000 });
        return {
          connect: async () => memoryTopicLog(space),
          trim: async (topic, partition, count) => space.trim(topic, partition, count),
          drop: async () => space.drop(),
        };
      },
      { partitions, coordinationTopic: "cluster", maxEntries: 1000 },
    );
  });
}

describe("[memory] a log that is bounded by age", () => {
  it("cuts what is too old when something is appended, and never what is young", () => {
    const space = memoryEventLogSpace({ maxAgeMs: 1000 });
    const append = (tag: string, nowMs: number): unknown =>
      space.append("execution", 0, [{ tag, json: '{"type":"a"}' }], nowMs);
    append("a", 0);
    append("b", 500);
    append("c", 1500);
    expect(space.log("execution", 0).entries.map(({ tag }) => tag)).toEqual(["b", "c"]);
  });
});
