import { setTimeout as sleep } from "node:timers/promises";
import { createConnections, createKeySpace, eventLogKeys, type RedisConnections } from "@parallax/redis";
import { describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type RecordSpace, recordBackendConformance } from "../src/conformance.ts";
import { redisRecordBackend } from "../src/redis.ts";

describeBackend("redis-standalone", "records", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;
  let spaces = 0;

  beforeAll(async () => {
    redis = await startRedis();
    connections = createConnections({ url: redis.url });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await redis.stop();
  });

  async function makeSpace(): Promise<RecordSpace> {
    spaces += 1;
    const keySpace = createKeySpace({ prefix: `s${spaces}:` });
    return {
      connect: async () => redisRecordBackend(connections, { keySpace }),
      // Store time has whole milliseconds, so one more is needed to be sure.
      pass: async (ms) => void (await sleep(ms + 1)),
      async events(topic) {
        const { log } = eventLogKeys(keySpace, topic, 0);
        const entries = await connections.data.command("XRANGE", [log, "-", "+"]);
        return JSON.parse(JSON.stringify(entries)).map(([, fields]: [string, string[]]) =>
          JSON.parse(fields[7] ?? ""),
        );
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  recordBackendConformance({ describe, it }, makeSpace, { partitions: 1 });
});
