import { createConnections, type RedisConnections } from "@parallax/redis";
import { describeBackend, giveLeastRights, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, describe, it } from "vitest";
import { recordBackendConformance } from "../src/conformance.ts";
import { redisSpace } from "./support/redis-space.ts";

describeBackend("redis-standalone", "records", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;

  beforeAll(async () => {
    redis = await startRedis();
    connections = createConnections({ url: await giveLeastRights(redis, { pattern: "*" }) });
    await connections.data.ready();
  });
  afterAll(async () => {
    await connections.close();
    await redis.stop();
  });

  recordBackendConformance({ describe, it }, async () => redisSpace(connections), { partitions: 1 });
});
