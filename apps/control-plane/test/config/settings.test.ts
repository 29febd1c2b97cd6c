import { describe, expect, it } from "vitest";
import { formatSize, sharedSettings, shownSettings } from "../../src/config/settings.ts";
import { load } from "../support/config-file.ts";

const secrets = [
  "redis: { url: 'redis://user:s3cret@redis:6379', password: s3cret, sentinel: { master: m, nodes: ['a:1'], password: s3cret } }",
  "server: { auth: { tokens: [{ token: s3cret-token, role: api }] } }",
].join("\n");

describe("the values in force", () => {
  it("are shown as configuration writes them", () => {
    const { config } = load("highAvailability: { leaderElection: { leaseDuration: 3s } }\nnode: { id: n }");
    const shown = Object.fromEntries(
      shownSettings(config).map(({ key, value }) => [key.path.join("."), value]),
    );
    expect(shown).toMatchObject({
      "highAvailability.leaderElection.leaseDuration": "3s",
      "highAvailability.leaderElection.renewDeadline": "2s",
      "highAvailability.leaderElection.retryPeriod": "400ms",
      "server.maxBody": "1MiB",
      "server.port": "8080",
      "node.id": "n",
      "node.zone": undefined,
      "server.auth.tokens": "[]",
    });
  });

  it("come with who said so, and with nobody where they are defaults", () => {
    const yaml = "server:\n  port: 1000\n  drainTimeout: 1s\n";
    const { originOf } = load(yaml, { environment: { PARALLAX_PORT: "2000" } });
    expect(originOf(["server", "port"])).toEqual({ source: "environment", variable: "PARALLAX_PORT" });
    expect(originOf(["server", "drainTimeout"])).toMatchObject({ source: "file", line: 3 });
    expect(originOf(["server", "host"])).toBeUndefined();
    expect(originOf(["log", "level"])).toBeUndefined();
  });

  it("never show a secret", () => {
    const { config } = load(secrets);
    expect(JSON.stringify(shownSettings(config))).not.toContain("s3cret");
    expect(JSON.stringify(sharedSettings(config))).not.toContain("s3cret");
    const url = load("redis: { url: 'redis://:s3cret@redis:6379' }").config;
    expect(shownSettings(url).find(({ key }) => key.path.join(".") === "redis.url")?.value).toBe(
      "redis://:(hidden)@redis:6379",
    );
    expect(JSON.stringify(sharedSettings(url))).not.toContain("s3cret");
  });
});

describe("the values that all nodes share", () => {
  it("leave out what is each node's own", () => {
    const one = load("node: { id: a, zone: x }\nserver: { port: 1 }\nlog: { level: debug }").config;
    const other = load("node: { id: b, zone: y }\nserver: { port: 2 }").config;
    expect(sharedSettings(one)).toEqual(sharedSettings(other));
  });

  it("differ where a secret differs", () => {
    const one = sharedSettings(load("redis: { password: one }").config);
    const other = sharedSettings(load("redis: { password: other }").config);
    expect(one["redis.password"]).not.toBe(other["redis.password"]);
  });
});

it.each([
  [1024 ** 2, "1MiB"],
  [512 * 1024, "512KiB"],
  [3 * 1024 ** 3, "3GiB"],
  [1000, "1000B"],
])("a size of %s bytes is written %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});
