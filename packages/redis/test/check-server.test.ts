import {
  type ClusterFixture,
  describeBackend,
  eventually,
  type RedisFixture,
  type SentinelFixture,
  startCluster,
  startRedis,
  startSentinel,
} from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkServer, findingsOf } from "../src/check-server.ts";
import type { RedisOptions } from "../src/clients.ts";
import type { RedisMode } from "../src/connection.ts";
import { createConnections } from "../src/connections.ts";
import { parseServerInfo, type ServerInfo } from "../src/server-info.ts";

const healthy: ServerInfo = {
  version: "7.0.15",
  runId: "a",
  role: "primary",
  isCluster: false,
  maxmemoryPolicy: "noeviction",
  maxmemoryBytes: 0,
  usedMemoryBytes: 1000,
  isAppendOnly: true,
  isDiskFailing: false,
  replicas: [],
};
const replica = { address: "10.0.0.2:6379", isOnline: true, lagBytes: 0, silentSeconds: 0 };
const codes = (server: Partial<ServerInfo>, mode: RedisMode = "standalone"): string[] =>
  findingsOf({ ...healthy, ...server }, mode).map(({ severity, code }) => `${severity} ${code}`);

describe("what there is to say about a server", () => {
  it("nothing about a healthy one", () => {
    expect(codes({})).toEqual([]);
    expect(codes({ replicas: [replica] }, "sentinel")).toEqual([]);
    expect(codes({ replicas: [replica], isCluster: true }, "cluster")).toEqual([]);
  });

  it.each<[string, Partial<ServerInfo>, RedisMode]>([
    ["error redis_too_old", { version: "6.0.16" }, "standalone"],
    ["error redis_too_old", { version: "5.9.99" }, "standalone"],
    ["error redis_too_old", { version: "" }, "standalone"],
    ["error unexpected_cluster", { isCluster: true }, "standalone"],
    ["error server_is_replica", { role: "replica" }, "standalone"],
    ["warning evicts_keys", { maxmemoryPolicy: "allkeys-lru" }, "standalone"],
    ["warning memory_nearly_full", { maxmemoryBytes: 1000, usedMemoryBytes: 850 }, "standalone"],
    ["warning disk_fails", { isDiskFailing: true }, "standalone"],
    ["note no_append_only_file", { isAppendOnly: false }, "standalone"],
    ["warning no_replica", { replicas: [] }, "sentinel"],
    ["warning no_replica", { replicas: [{ ...replica, isOnline: false }], isCluster: true }, "cluster"],
    ["warning replica_behind", { replicas: [replica, { ...replica, lagBytes: 2e7 }] }, "sentinel"],
    ["warning replica_behind", { replicas: [{ ...replica, silentSeconds: 11 }] }, "standalone"],
  ])("%s", (finding, server, mode) => {
    expect(codes(server, mode)).toEqual([finding]);
  });

  it.each(["6.2.0", "6.2.14", "7.0.15", "8.0.0", "10.0"])("version %s is new enough", (version) => {
    expect(codes({ version })).toEqual([]);
  });
});

describe("INFO", () => {
  it("is read as far as it is looked at", () => {
    const text = [
      "# Replication",
      "role:master",
      "slave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=1",
      "slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0",
      "master_repl_offset:100",
      "aof_enabled:1",
      "aof_last_write_status:err",
      "maxmemory:1000",
    ].join("\r\n");
    expect(parseServerInfo(text)).toMatchObject({
      role: "primary",
      isAppendOnly: true,
      isDiskFailing: true,
      maxmemoryBytes: 1000,
      replicas: [
        { address: "10.0.0.2:6379", isOnline: true, lagBytes: 10, silentSeconds: 1 },
        { address: "10.0.0.3:6379", isOnline: false, lagBytes: 100, silentSeconds: 0 },
      ],
    });
  });
});

async function check(where: RedisOptions): ReturnType<typeof checkServer> {
  await using connections = createConnections(where);
  return await checkServer(connections.data);
}

describeBackend("redis-standalone", "checking the server", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis({ config: { maxmemory: "64mb", "maxmemory-policy": "volatile-lru" } });
  });
  afterAll(() => redis.stop());

  it("finds what is configured, worst first, by one who may run nothing but INFO", async () => {
    await redis.send("ACL", "SETUSER", "watcher", "on", ">secret", "+info", "+client");
    const { servers, findings } = await check({ url: redis.url, username: "watcher", password: "secret" });
    expect(findings.map(({ code }) => code)).toEqual(["evicts_keys", "no_append_only_file"]);
    expect(servers).toMatchObject([{ role: "primary", isCluster: false, maxmemoryBytes: 64 * 1024 * 1024 }]);
  });
});

describeBackend("redis-sentinel", "checking the server", () => {
  let sentinel: SentinelFixture;
  beforeAll(async () => {
    sentinel = await startSentinel();
  });
  afterAll(() => sentinel.stop());

  it("finds replicas that are in step, and misses them when they are gone", async () => {
    const { servers, findings } = await check(sentinel.where);
    expect([servers[0]?.replicas.length, findings.map(({ code }) => code)]).toEqual([
      2,
      ["no_append_only_file"],
    ]);
    const primary = await sentinel.primary();
    await Promise.all(sentinel.servers.filter((server) => server !== primary).map((server) => server.kill()));
    await eventually(async () =>
      (await check(sentinel.where)).findings.some(({ code }) => code === "no_replica"),
    );
  });

  it("finds that a replica was named instead of the primary", async () => {
    const primary = await sentinel.primary();
    const other = sentinel.servers.find((server) => server !== primary);
    await other?.restart();
    await other?.send("REPLICAOF", "127.0.0.1", primary.port);
    const { findings } = await check({ url: other?.url });
    expect(findings[0]).toMatchObject({ severity: "error", code: "server_is_replica" });
  });
});

describeBackend("redis-cluster", "checking the server", () => {
  let cluster: ClusterFixture;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  it("looks at every primary that holds keys of ours", async () => {
    const { servers, findings } = await check(cluster.where);
    expect(servers.map(({ replicas, isCluster }) => [replicas.length, isCluster])).toEqual([
      [1, true],
      [1, true],
      [1, true],
    ]);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(["no_append_only_file"]));
  });

  it("finds that a Cluster was named as a single server", async () => {
    const { findings } = await check({ url: cluster.nodes[0]?.url });
    expect(findings[0]).toMatchObject({ severity: "error", code: "unexpected_cluster" });
  });
});
