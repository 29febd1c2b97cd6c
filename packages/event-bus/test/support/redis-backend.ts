import { eventLogKeys, type KeySpace, type RedisConnections } from "@parallax/redis";
import type { TopicLogBackend } from "../../src/conformance.ts";
import { redisTopicLog } from "../../src/redis.ts";

/** Logs for one test: a prefix of its own stands for an empty Redis. */
export interface RedisBackendOptions {
  readonly connect: () => RedisConnections;
  readonly keySpace: KeySpace;
  readonly coordinationTopics: readonly string[];
  readonly topics: readonly string[];
  readonly maxEntries: number;
}

/** Every node has connections of its own, which close with its log. */
export function redisBackend(options: RedisBackendOptions): TopicLogBackend {
  const { connect, keySpace, coordinationTopics, topics, maxEntries } = options;
  const keysOf = (topic: string, partition: number): string[] => {
    const place = coordinationTopics.includes(topic) ? "coordination" : partition;
    const { meta, log } = eventLogKeys(keySpace, topic, place);
    return [meta, log];
  };
  async function withConnections(act: (connections: RedisConnections) => Promise<unknown>): Promise<void> {
    await using connections = connect();
    await act(connections);
  }
  return {
    async connect() {
      const connections = connect();
      const log = redisTopicLog(connections, { keySpace, maxEntries });
      return {
        ...log,
        async [Symbol.asyncDispose]() {
          await log[Symbol.asyncDispose]();
          await connections.close();
        },
      };
    },
    trim: (topic, partition, count) =>
      withConnections(({ data }) =>
        data.command("XTRIM", [keysOf(topic, partition)[1] ?? "", "MAXLEN", count]),
      ),
    drop: () =>
      withConnections(async ({ data }) => {
        for (const topic of topics)
          for (let partition = 0; partition < keySpace.partitions; partition += 1)
            for (const key of keysOf(topic, partition)) await data.command("DEL", [key]);
      }),
  };
}
