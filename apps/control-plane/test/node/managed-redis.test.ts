import {
  type Certificates,
  createCertificates,
  createFaultProxy,
  describeBackend,
  eventually,
  type FaultProxy,
  freePort,
  giveLeastRights,
  leastUser,
  type RedisFixture,
  refusals,
  startRedis,
} from "@parallax/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type LocalNodes, startNodes, workPattern } from "../support/local-nodes.ts";

/** As providers offer it: TLS alone, no CONFIG, a user with few rights, and a name that moves to another server. */
describeBackend("redis-standalone", "a managed Redis", () => {
  let certificates: Certificates;
  let servers: { redis: RedisFixture; tlsPort: number }[];
  let endpoint: FaultProxy;
  let target: { host: string; port: number };
  let nodes: LocalNodes | undefined;

  async function startServer(): Promise<{ redis: RedisFixture; tlsPort: number }> {
    const tlsPort = await freePort();
    const config = {
      ...certificates.redisConfig(tlsPort),
      "tls-auth-clients": "no",
      "rename-command": ["CONFIG", ""],
    };
    const redis = await startRedis({ config });
    await giveLeastRights(redis);
    return { redis, tlsPort };
  }

  beforeAll(async () => {
    certificates = await createCertificates();
    servers = [await startServer(), await startServer()];
    const [first, second] = servers;
    if (!first || !second) throw new Error("there are no servers");
    await second.redis.send("REPLICAOF", "127.0.0.1", first.redis.port);
    target = { host: "127.0.0.1", port: first.tlsPort };
    endpoint = await createFaultProxy({ target });
  });
  afterEach(async () => {
    await nodes?.stop();
  });
  afterAll(async () => {
    await endpoint.stop();
    await Promise.all(servers.map(({ redis }) => redis.stop()));
    await certificates.remove();
  });

  it("is enough for a cluster, through a fail-over of the provider's", async () => {
    const [first, second] = servers;
    if (!first || !second) throw new Error("there are no servers");
    await expect(first.redis.send("CONFIG", "GET", "maxmemory")).rejects.toThrow(/unknown command/);
    nodes = await startNodes(3, {
      "highAvailability.enabled": true,
      "redis.url": `rediss://localhost:${endpoint.port}`,
      "redis.username": leastUser.username,
      "redis.password": leastUser.password,
      "redis.tls.caFile": certificates.caFile,
    });
    const client = nodes.client();
    await client.patterns.put(workPattern("one", { timeout: "60s" }));
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await nodes.agent({
      handler: async ({ input }) => {
        if (input === "long") await released;
        return { result: input };
      },
    });
    expect(await client.executions.run({ pattern: "one", input: "short" })).toMatchObject({
      result: "short",
    });
    const long = await client.executions.submit({ pattern: "one", input: "long" });
    await eventually(async () => (await client.executions.get(long.id)).status === "running");

    // The replica is promoted, the old primary is gone, and the same name leads to the new one.
    await first.redis.send("WAIT", 1, 5000);
    await second.redis.send("REPLICAOF", "NO", "ONE");
    target.port = second.tlsPort;
    await first.redis.kill();
    release();
    await eventually(async () => (await client.executions.get(long.id)).status === "completed", {
      timeoutMs: 60_000,
    });
    expect(await client.executions.run({ pattern: "one", input: "after" })).toMatchObject({
      result: "after",
    });
    expect(await refusals(second.redis)).toEqual([]);
  });
});
