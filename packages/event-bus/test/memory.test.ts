import { describe, it } from "vitest";
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
