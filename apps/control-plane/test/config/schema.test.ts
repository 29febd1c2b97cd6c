import { describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { load, refusal, temporaryFile } from "../support/config-file.ts";

/** Every key with its default, as the contract lists them. */
const defaults = {
  highAvailability: {
    enabled: false,
    clusterId: "default",
    leaderElection: {
      enabled: true,
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2000,
    },
    memberHealth: { checkIntervalMs: 5000, timeoutMs: 3000, unhealthyThreshold: 3, removeAfterMs: 600_000 },
    stateSync: { batchSize: 128 },
  },
  redis: { keyPrefix: "parallax:", outageGrace: 30_000, durability: { timeout: 1000 }, partitions: 16 },
  node: {},
  server: { port: 8080, drainTimeout: 30_000, maxBody: 1024 ** 2, auth: { tokens: [] } },
  patterns: { directory: "./patterns" },
  executions: { retention: 24 * 3_600_000, maxFinished: 1_000_000, defaultTimeout: 60_000, maxOpen: 100_000 },
  agents: { reconnectGrace: 30_000, maxPayload: 1024 ** 2, maxConnections: 20_000 },
  log: { level: "info", format: "json" },
};

/** Every key that there is, set to something else than its default. */
const everything = `
highAvailability:
  enabled: true
  clusterId: production
  leaderElection: { enabled: false, leaseDuration: 30s, renewDeadline: 20s, retryPeriod: 4s }
  memberHealth: { checkInterval: 2s, timeout: 500ms, unhealthyThreshold: 5, removeAfter: 1h }
  stateSync: { batchSize: 64 }
redis:
  url: rediss://redis:6380
  username: parallax
  password: secret
  keyPrefix: "staging:"
  outageGrace: 10s
  durability: { replicas: 2, timeout: 250ms }
  partitions: 32
node: { id: node-7, address: "10.0.0.7:9000", zone: zone-a }
server:
  host: 0.0.0.0
  port: 9000
  drainTimeout: 1m
  terminationGrace: 90s
  maxBody: 2MiB
  tls: { cert: /etc/tls.crt, key: /etc/tls.key }
  auth: { tokens: [{ token: "12345678", role: api }, { token: "87654321", role: agent }] }
patterns: { directory: /etc/patterns }
executions: { retention: 2h, maxFinished: 10, defaultTimeout: 5s, maxOpen: 20 }
agents:
  reconnectGrace: 10s
  maxPayload: 512KiB
  maxConnections: 9
  maxConnectionsPerAddress: 8
  maxConnectionsPerToken: 7
log: { level: debug, format: pretty }
`;

describe("the configuration's schema", () => {
  it("fills in the default of every key", () => {
    expect(configSchema.parse({})).toEqual(defaults);
  });

  it("takes every key", () => {
    expect(load(everything).config).toEqual({
      highAvailability: {
        enabled: true,
        clusterId: "production",
        leaderElection: {
          enabled: false,
          leaseDurationMs: 30_000,
          renewDeadlineMs: 20_000,
          retryPeriodMs: 4000,
        },
        memberHealth: {
          checkIntervalMs: 2000,
          timeoutMs: 500,
          unhealthyThreshold: 5,
          removeAfterMs: 3_600_000,
        },
        stateSync: { batchSize: 64 },
      },
      redis: {
        url: "rediss://redis:6380",
        username: "parallax",
        password: "secret",
        keyPrefix: "staging:",
        outageGrace: 10_000,
        durability: { replicas: 2, timeout: 250 },
        partitions: 32,
      },
      node: { id: "node-7", address: "10.0.0.7:9000", zone: "zone-a" },
      server: {
        host: "0.0.0.0",
        port: 9000,
        drainTimeout: 60_000,
        terminationGrace: 90_000,
        maxBody: 2 * 1024 ** 2,
        tls: { cert: "/etc/tls.crt", key: "/etc/tls.key" },
        auth: {
          tokens: [
            { token: "12345678", role: "api" },
            { token: "87654321", role: "agent" },
          ],
        },
      },
      patterns: { directory: "/etc/patterns" },
      executions: { retention: 7_200_000, maxFinished: 10, defaultTimeout: 5000, maxOpen: 20 },
      agents: {
        reconnectGrace: 10_000,
        maxPayload: 512 * 1024,
        maxConnections: 9,
        maxConnectionsPerAddress: 8,
        maxConnectionsPerToken: 7,
      },
      log: { level: "debug", format: "pretty" },
    });
  });

  it("takes Sentinel and Cluster", () => {
    const sentinel = load("redis: { sentinel: { master: mymaster, nodes: ['sentinel-1:26379'] } }");
    expect(sentinel.config.redis.sentinel).toEqual({ master: "mymaster", nodes: ["sentinel-1:26379"] });
    const cluster = load("redis: { cluster: { nodes: ['redis-1:6379', '[::1]:6379'] } }");
    expect(cluster.config.redis.cluster).toEqual({ nodes: ["redis-1:6379", "[::1]:6379"] });
  });

  it("takes a user of Redis and of its Sentinels, and TLS with files of one's own", () => {
    const file = temporaryFile("ca.crt", "a certificate");
    const { config } = load(
      `redis: { url: "redis://a:1", username: ann, password: p, tls: { caFile: ${file}, servername: redis } }`,
    );
    expect(config.redis).toMatchObject({
      username: "ann",
      password: "p",
      tls: { enabled: true, caFile: file, servername: "redis" },
    });
    const sentinel = { master: "m", nodes: ["a:1"], username: "bob", password: "q", tls: false };
    expect(load(`redis: { sentinel: ${JSON.stringify(sentinel)} }`).config.redis.sentinel).toEqual(sentinel);
    expect(refusal(`redis: { url: "redis://a:1", tls: { certFile: ${file} } }`).message).toContain(
      "redis.tls.keyFile: a certificate and its key go together; name both files",
    );
  });

  it("derives the renew deadline and the retry period from the lease", () => {
    const { leaderElection } = load("highAvailability: { leaderElection: { leaseDuration: 3s } }").config
      .highAvailability;
    expect(leaderElection).toMatchObject({ renewDeadlineMs: 2000, retryPeriodMs: 400 });
  });

  it.each([
    ["250ms", 250],
    ["15s", 15_000],
    ["1m", 60_000],
    ["2h", 7_200_000],
    [500, 500],
  ])("reads the duration %s", (text, ms) => {
    expect(configSchema.parse({ executions: { retention: text } }).executions.retention).toBe(ms);
  });

  it.each([
    ["agents: { reconnectGrace: soon }", "agents.reconnectGrace: write a duration such as 250ms"],
    ["executions: { retention: -1 }", "executions.retention: write a duration such as 250ms"],
    ["server: { drainTimeout: 30 s }", "server.drainTimeout: write a duration such as 250ms"],
    ["agents: { maxPayload: 1MB }", "agents.maxPayload: write a size such as 512KiB"],
    ["server: { maxBody: 0 }", "server.maxBody: write a size such as 512KiB"],
    ["server: { port: true }", "server.port: write a port from 0 to 65535"],
    ["server: { port: [8080] }", "server.port: write a port from 0 to 65535"],
    ["server: { port: 70000 }", "server.port: write a port from 0 to 65535"],
    ["highAvailability: { enabled: maybe }", "highAvailability.enabled: write true or false"],
    ["highAvailability: { clusterId: 'a b' }", "highAvailability.clusterId: write 1 to 64 letters"],
    [
      "highAvailability: { stateSync: { batchSize: 5000 } }",
      "highAvailability.stateSync.batchSize: write a whole number up to 1000",
    ],
    ["redis: { url: 'http://redis:6379' }", "redis.url: write redis://host:port or rediss://host:port"],
    ["redis: { cluster: { nodes: [redis] } }", "redis.cluster.nodes.0: write host:port"],
    [
      "redis: { tls: { caFile: /nowhere/ca.crt } }",
      "redis.tls.caFile: name a PEM file that this process may read",
    ],
    ["redis: { keyPrefix: 'a{b}' }", "redis.keyPrefix: write it without braces and spaces"],
    ["node: { address: localhost }", "node.address: write host:port"],
    ["log: { level: loud }", "log.level: write debug, info, warn or error"],
    [
      "server: { auth: { tokens: [{ token: short, role: api }] } }",
      "server.auth.tokens.0.token: use 8 characters or more",
    ],
    [
      "server: { auth: { tokens: [{ token: '12345678', role: root }] } }",
      "server.auth.tokens.0.role: write api",
    ],
    ["server: 8080", "server: write keys and their values below it, or remove it"],
    ["redis: { password: 1234 }", "redis.password: write a text; put a number into quotes"],
    ["redis: { sentinel: { nodes: ['a:1'] } }", "redis.sentinel.master: is missing; write it"],
    ["redis: { cluster: { nodes: 'a:1' } }", "redis.cluster.nodes: write a list"],
    ["server: { terminationGrace: 30s }", "server.terminationGrace: must be longer than drainTimeout"],
    ["server: { prot: 1 }", "server.prot: there is no such key; write port, if that is what it means"],
  ])("refuses %s", (yaml, problem) => {
    const { problems } = refusal(yaml);
    expect(problems).toEqual([expect.stringContaining(`1 ${problem}`)]);
  });

  it.each([
    [
      "a renew deadline that is not shorter than the lease",
      "{ leaderElection: { leaseDuration: 10s, renewDeadline: 10s } }",
      "leaderElection.renewDeadline: must be shorter than leaseDuration",
    ],
    [
      "a renew deadline within 1.2 retry periods",
      "{ leaderElection: { leaseDuration: 15s, renewDeadline: 12s, retryPeriod: 10s } }",
      "leaderElection.retryPeriod: must be so short that renewDeadline is longer than 1.2 times retryPeriod",
    ],
    [
      "no retry period",
      "{ leaderElection: { retryPeriod: 0 } }",
      "leaderElection.retryPeriod: must be longer than 0",
    ],
    [
      "a beat's bound that is not shorter than the interval",
      "{ memberHealth: { checkInterval: 3s, timeout: 3s } }",
      "memberHealth.timeout: must be shorter than checkInterval",
    ],
    [
      "high availability without Redis",
      "{ enabled: true }",
      "enabled: needs Redis; set redis.url, redis.sentinel or redis.cluster, or PARALLAX_REDIS_URL",
    ],
  ])("refuses %s", (_, section, problem) => {
    expect(refusal(`highAvailability: ${section}`).problems).toEqual([`1 highAvailability.${problem}`]);
  });

  it("does not say that Redis is missing where only its URL is wrong", () => {
    const { problems } = refusal("highAvailability: { enabled: true }\nredis: { url: redis }");
    expect(problems).toEqual(["2 redis.url: write redis://host:port or rediss://host:port"]);
  });

  it("refuses Cluster beside Sentinel", () => {
    const { problems } = refusal(
      "redis:\n  cluster: { nodes: ['a:1'] }\n  sentinel: { master: m, nodes: ['b:2'] }",
    );
    expect(problems).toEqual([
      "3 redis.sentinel: can't stand beside redis.cluster; keep the one that your Redis is",
    ]);
  });
});
