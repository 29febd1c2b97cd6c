import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { addressOf, hostOf, loadConfig, nodeIdOf } from "../../src/config/load.ts";
import type { Setting } from "../../src/config/sources.ts";
import { load, refusal, temporaryFile } from "../support/config-file.ts";

const flag = (name: string, path: readonly string[], value: unknown): Setting => ({
  path,
  value,
  origin: { source: "flag", flag: name },
});

describe("loading the configuration", () => {
  it("tells everything that is wrong at once, each with its path, its place and what would be right", () => {
    const { message, problems } = refusal(
      [
        "unknown: 1", // 1
        "highAvailability:", // 2
        "  enabled: true", // 3
        "  leaderElection:", // 4
        "    renewDeadline: 20s", // 5
        "  memberHealth: { timeout: 9s, interval: 1s }", // 6
        "log:", // 7
        "  level: loud", // 8
      ].join("\n"),
      { environment: { PARALLAX_PORT: "http" }, flags: [flag("host", ["server", "host"], "")] },
    );
    expect([...problems].sort()).toEqual([
      "1 unknown: there is no such key; remove it, or use one of highAvailability, redis, node, server, patterns, executions, agents, log",
      "3 highAvailability.enabled: needs Redis; set redis.url, redis.sentinel or redis.cluster, or PARALLAX_REDIS_URL",
      "5 highAvailability.leaderElection.renewDeadline: must be shorter than leaseDuration",
      "6 highAvailability.memberHealth.interval: there is no such key; remove it, or use one of checkInterval, timeout, unhealthyThreshold, removeAfter",
      "6 highAvailability.memberHealth.timeout: must be shorter than checkInterval",
      expect.stringContaining("8 log.level: "),
      "PARALLAX_PORT server.port: write a port from 0 to 65535",
      expect.stringContaining("host server.host: "),
    ]);
    expect(message).toMatch(/^reading the configuration: correct the following\n/);
    expect(message).toMatch(/parallax\.config\.yaml:5: highAvailability\.leaderElection\.renewDeadline: /);
    expect(message).toContain("\n  PARALLAX_PORT: server.port: ");
    expect(message).toContain("\n  --host: server.host: ");
  });

  it("tells a broken relation beside a wrong value of another section", () => {
    const { problems } = refusal("executions: { retention: x }\nhighAvailability: { enabled: true }");
    expect(problems).toEqual([
      expect.stringContaining("1 executions.retention: "),
      expect.stringContaining("2 highAvailability.enabled: needs Redis"),
    ]);
  });

  it("tells of all that is wrong at once, in the order of the file, relations beside other slips", () => {
    const { problems } = refusal(
      [
        "highAvailability:",
        "  memberHealth: { checkInterval: 2s, timeout: 3s, unhealthyThreshold: 0 }",
        "  leaderElection:",
        "    leaseDuration: 5s",
        "    renewDeadline: 6s",
        "    retryPeriod: soon",
        "redis:",
        "  cluster: { nodes: [a:1] }",
        "  sentinel: { nodes: [b] }",
        "server: { port: 99999, drainTimeout: 30s, terminationGrace: 10s }",
        "bogus: 1",
      ].join("\n"),
    );
    expect(problems).toEqual([
      "2 highAvailability.memberHealth.unhealthyThreshold: write a whole number above 0",
      "2 highAvailability.memberHealth.timeout: must be shorter than checkInterval",
      expect.stringContaining("5 highAvailability.leaderElection.renewDeadline: must be shorter"),
      expect.stringContaining("6 highAvailability.leaderElection.retryPeriod: write a duration"),
      expect.stringContaining("9 redis.sentinel: can't stand beside redis.cluster"),
      "9 redis.sentinel.master: is missing; write it",
      "9 redis.sentinel.nodes.0: write host:port",
      expect.stringContaining("10 server.port: write a port"),
      expect.stringContaining("10 server.terminationGrace: must be longer than drainTimeout"),
      expect.stringContaining("11 bogus: there is no such key"),
    ]);
  });

  it("says nothing of a relation where one of its keys is wrong by itself", () => {
    const { problems } = refusal(
      "highAvailability: { leaderElection: { leaseDuration: long, renewDeadline: 40s, retryPeriod: 35s } }",
    );
    expect(problems).toEqual([
      expect.stringContaining("1 highAvailability.leaderElection.leaseDuration: write a duration"),
    ]);
  });

  it.each([
    ["redis: { url: 'redis://a:b:c/xyz' }", "redis.url: write redis://host:port"],
    ["redis: { url: 'redis://a:99999999' }", "redis.url: write redis://host:port"],
    ["node: { address: 'host:99999' }", "node.address: write host:port, with a port up to 65535"],
    [
      "redis: { url: 'redis://a', durability: { timeout: 0 } }",
      "redis.durability.timeout: must be longer than 0",
    ],
    ["executions: { defaultTimeout: 0 }", "executions.defaultTimeout: must be longer than 0"],
  ])("refuses %s", (text, problem) => {
    expect(refusal(text).problems).toEqual([expect.stringContaining(problem)]);
  });

  it("names the file where an alias has no anchor", () => {
    expect(refusal("server: *here").message).toMatch(/reading .*this is no YAML: .*here/);
  });

  it("names the line to move where redis stands below highAvailability", () => {
    const { problems } = refusal(
      "highAvailability:\n  enabled: true\n  redis:\n    url: redis://localhost:6379\n",
    );
    expect(problems[1]).toBe(
      "3 highAvailability.redis: move `redis` to the top level, beside `highAvailability`",
    );
  });

  it("lets the environment beat the file, and flags beat both", () => {
    const yaml = "server: { port: 1000, drainTimeout: 1s, host: file }\nnode: { id: file }\n";
    const environment = { PARALLAX_PORT: "2000", PARALLAX_HOST: "environment" };
    const flags = [flag("port", ["server", "port"], "3000")];
    expect(load(yaml, { environment, flags }).config).toMatchObject({
      server: { port: 3000, host: "environment", drainTimeout: 1000 },
      node: { id: "file" },
    });
  });

  it("ignores a URL beside Cluster or Sentinel, and says so", () => {
    const cluster = load("redis: { url: redis://a:1, cluster: { nodes: ['b:2'] } }");
    expect(cluster.config.redis).toMatchObject({ cluster: { nodes: ["b:2"] } });
    expect(cluster.config.redis.url).toBeUndefined();
    expect(cluster.notes).toEqual(["redis.url is ignored, for redis.cluster stands beside it"]);
    const sentinel = load("redis: { url: redis://a:1, sentinel: { master: m, nodes: ['b:2'] } }");
    expect(sentinel.config.redis.url).toBeUndefined();
    expect(sentinel.notes).toEqual(["redis.url is ignored, for redis.sentinel stands beside it"]);
  });

  it("lets PARALLAX_REDIS_URL replace whatever the file says about where Redis is", () => {
    const environment = { PARALLAX_REDIS_URL: "redis://c:3" };
    for (const where of [
      "url: redis://a:1",
      "cluster: { nodes: ['b:2'] }",
      "sentinel: { master: m, nodes: ['b:2'] }",
    ]) {
      const { config, notes } = load(`redis: { ${where}, keyPrefix: 'p:' }`, { environment });
      expect(config.redis).toEqual({
        url: "redis://c:3",
        keyPrefix: "p:",
        outageGrace: 30_000,
        durability: { timeout: 1000 },
        partitions: 16,
      });
      expect(notes).toEqual([]);
    }
  });

  it("finds the file by --config, then by PARALLAX_CONFIG, and needs none", () => {
    const named = temporaryFile("a.yaml", "node: { id: named }");
    const fromEnvironment = temporaryFile("b.yaml", "node: { id: environment }");
    const environment = { PARALLAX_CONFIG: fromEnvironment };
    expect(loadConfig({ file: named, environment })).toMatchObject({
      config: { node: { id: "named" } },
      file: named,
    });
    expect(loadConfig({ environment })).toMatchObject({
      config: { node: { id: "environment" } },
      file: fromEnvironment,
    });
    expect(loadConfig({ environment: { PARALLAX_CONFIG: "" } }).file).toBeUndefined();
  });
});

describe("what the machine answers where the configuration is silent", () => {
  it("names the node after its host", () => {
    expect(nodeIdOf(load("").config)).toBe(hostname());
    expect(nodeIdOf(load("node: { id: node-7 }").config)).toBe("node-7");
  });

  it("listens on loopback without tokens, and everywhere with", () => {
    expect(hostOf(load("").config)).toBe("127.0.0.1");
    const tokens = "auth: { tokens: [{ token: '12345678', role: admin }] }";
    expect(hostOf(load(`server: { ${tokens} }`).config)).toBe("0.0.0.0");
    expect(hostOf(load(`server: { host: "::1", ${tokens} }`).config)).toBe("::1");
  });

  it("advertises the configured address, else an address of the machine and the port", () => {
    expect(addressOf(load("node: { address: 'cp-0:80' }").config, 8080)).toBe("cp-0:80");
    expect(addressOf(load("").config, 8123)).toMatch(/^\d+\.\d+\.\d+\.\d+:8123$/);
  });
});
