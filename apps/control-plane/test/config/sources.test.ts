import { describe, expect, it } from "vitest";
import { parseTokens, readConfigFile, readEnvironment } from "../../src/config/sources.ts";
import { load, refusal, temporaryFile } from "../support/config-file.ts";

describe("the environment", () => {
  it.each([
    ["PARALLAX_HA_ENABLED", "true", ["highAvailability", "enabled"]],
    ["PARALLAX_HA_CLUSTER_ID", "production", ["highAvailability", "clusterId"]],
    ["PARALLAX_HA_LEASE_DURATION", "20s", ["highAvailability", "leaderElection", "leaseDuration"]],
    ["PARALLAX_REDIS_URL", "redis://a:1", ["redis", "url"]],
    ["PARALLAX_REDIS_USERNAME", "ann", ["redis", "username"]],
    ["PARALLAX_REDIS_CA_FILE", "/etc/ca.crt", ["redis", "tls", "caFile"]],
    ["PARALLAX_NODE_ID", "node-1", ["node", "id"]],
    ["PARALLAX_ADVERTISE_ADDRESS", "10.0.0.1:80", ["node", "address"]],
    ["PARALLAX_HOST", "0.0.0.0", ["server", "host"]],
    ["PARALLAX_PORT", "80", ["server", "port"]],
    ["PARALLAX_DRAIN_TIMEOUT", "5s", ["server", "drainTimeout"]],
    ["PARALLAX_TERMINATION_GRACE", "45s", ["server", "terminationGrace"]],
    ["PARALLAX_NODE_ZONE", "zone-a", ["node", "zone"]],
    ["PARALLAX_REDIS_PASSWORD", "secret", ["redis", "password"]],
    ["PARALLAX_LOG_LEVEL", "debug", ["log", "level"]],
    ["PARALLAX_LOG_FORMAT", "pretty", ["log", "format"]],
  ])("sets by %s", (variable, value, path) => {
    expect(readEnvironment({ [variable]: value }).settings).toEqual([
      { path, value, origin: { source: "environment", variable } },
    ]);
  });

  it("is typed by the schema: what is text there becomes what the key is", () => {
    const { config } = load("", {
      environment: {
        PARALLAX_HA_ENABLED: "true",
        PARALLAX_REDIS_URL: "redis://a:1",
        PARALLAX_PORT: "81",
        PARALLAX_DRAIN_TIMEOUT: "7000",
      },
    });
    expect(config).toMatchObject({
      highAvailability: { enabled: true },
      server: { port: 81, drainTimeout: 7000 },
    });
  });

  it("counts empty variables as absent", () => {
    expect(readEnvironment({ PARALLAX_PORT: "", PARALLAX_API_TOKEN: "" }).settings).toEqual([]);
  });

  it.each([
    ["PARALLAX_REDIS_URL", "redis://:secret@a:1\n", ["redis", "url"], "redis://:secret@a:1"],
    ["PARALLAX_REDIS_PASSWORD", "secret\n", ["redis", "password"], "secret"],
    [
      "PARALLAX_API_TOKEN",
      "api:12345678\n",
      ["server", "auth", "tokens"],
      [{ token: "12345678", role: "api" }],
    ],
  ])(
    "takes %s from the file that the variable with _FILE behind it names",
    (variable, content, path, value) => {
      const file = temporaryFile("secret", content);
      const origin = { source: "environment", variable: `${variable}_FILE` };
      expect(readEnvironment({ [`${variable}_FILE`]: file }).settings).toEqual([{ path, value, origin }]);
    },
  );

  it("prefers the variable itself to its file", () => {
    const environment = { PARALLAX_REDIS_URL: "redis://a:1", PARALLAX_REDIS_URL_FILE: "/nowhere" };
    expect(readEnvironment(environment).settings).toMatchObject([{ value: "redis://a:1" }]);
  });

  it("takes nothing but secrets from files", () => {
    expect(readEnvironment({ PARALLAX_NODE_ID_FILE: "/nowhere" }).settings).toEqual([]);
  });

  it("names every secret's file that can't be read, beside whatever else is wrong", () => {
    const environment = {
      PARALLAX_REDIS_URL_FILE: "/nowhere/url",
      PARALLAX_API_TOKEN_FILE: "/nowhere/tokens",
      PARALLAX_PORT: "http",
    };
    expect([...refusal("", { environment }).problems].sort()).toEqual([
      "PARALLAX_API_TOKEN_FILE server.auth.tokens: the file /nowhere/tokens can't be read; check the path and who may read it",
      "PARALLAX_PORT server.port: write a port from 0 to 65535",
      "PARALLAX_REDIS_URL_FILE redis.url: the file /nowhere/url can't be read; check the path and who may read it",
    ]);
  });

  it("refuses tokens that are none: without any, everybody would be let in", () => {
    const file = temporaryFile("tokens", "\n");
    expect(refusal("", { environment: { PARALLAX_API_TOKEN_FILE: file } }).problems).toEqual([
      `PARALLAX_API_TOKEN_FILE server.auth.tokens: the file ${file} is empty; write the value into it`,
    ]);
    expect(refusal("", { environment: { PARALLAX_API_TOKEN: " , " } }).problems).toEqual([
      "PARALLAX_API_TOKEN server.auth.tokens: there is no token in it; write role:token,role:token",
    ]);
  });

  it("says which variable was meant, and nothing of what Kubernetes sets for a Service of that name", () => {
    const environment = {
      PARALLAX_HA_LEASE_DURATON: "3s",
      PARALLAX_SERVICE_HOST: "10.0.0.1",
      PARALLAX_PORT_8080_TCP: "tcp://10.0.0.1:8080",
      PARALLAX_URL: "http://localhost:8080",
    };
    expect(readEnvironment(environment).notes).toEqual([
      "PARALLAX_HA_LEASE_DURATON is read by nobody; write PARALLAX_HA_LEASE_DURATION, if that is what it means",
    ]);
  });

  it("has the password of the Sentinels, unless a URL takes their place", () => {
    const yaml = "redis: { sentinel: { master: m, nodes: [s:1] } }";
    const secret = { PARALLAX_REDIS_SENTINEL_PASSWORD_FILE: temporaryFile("secret", "s3cret\n") };
    expect(load(yaml, { environment: secret }).config.redis.sentinel?.password).toBe("s3cret");
    const url = { ...secret, PARALLAX_REDIS_URL: "redis://r:1" };
    const { redis } = load(yaml, { environment: url }).config;
    expect([redis.url, redis.sentinel]).toEqual(["redis://r:1", undefined]);
  });

  it("does not show a token that is refused", () => {
    const { message, problems } = refusal("", { environment: { PARALLAX_API_TOKEN: "api:s3cret" } });
    expect(problems).toEqual(["PARALLAX_API_TOKEN server.auth.tokens.0.token: use 8 characters or more"]);
    expect(message).not.toContain("s3cret");
  });
});

describe("tokens in a variable", () => {
  it("are roles and tokens, and a bare one is an admin's", () => {
    expect(parseTokens("api:one, agent:two,admin:three\nfour,")).toEqual([
      { role: "api", token: "one" },
      { role: "agent", token: "two" },
      { role: "admin", token: "three" },
      { role: "admin", token: "four" },
    ]);
  });

  it("may contain colons", () => {
    expect(parseTokens("api:a:b")).toEqual([{ role: "api", token: "a:b" }]);
  });

  it("are refused where there is no such role: a slip must not make an admin", () => {
    const { message, problems } = refusal("", { environment: { PARALLAX_API_TOKEN: "agnet:some-secret" } });
    expect(problems).toEqual(["PARALLAX_API_TOKEN server.auth.tokens.0.role: write api, agent or admin"]);
    expect(message).not.toContain("secret");
  });
});

describe("a configuration file", () => {
  it("knows on which line each key stands, and the nearest above for one that is not there", () => {
    const file = temporaryFile(
      "c.yaml",
      "# comment\nredis:\n  sentinel:\n    master: m\nserver: { port: 1 }\n",
    );
    const { originOf } = readConfigFile(file);
    const lineOf = (...path: string[]): unknown => originOf(path);
    expect(lineOf("redis", "sentinel", "master")).toEqual({ source: "file", file, line: 4 });
    expect(lineOf("redis", "sentinel", "nodes")).toEqual({ source: "file", file, line: 3 });
    expect(lineOf("server", "port")).toEqual({ source: "file", file, line: 5 });
    expect(lineOf("log", "level")).toEqual({ source: "file", file, line: undefined });
  });

  it("may be empty", () => {
    expect(readConfigFile(temporaryFile("c.yaml", "# nothing yet\n")).content).toEqual({});
  });

  it.each([
    ["is no YAML", "a:\n  b: [1\nredis: { password: s3cret }\n", /^reading \S+:3: this is no YAML: /],
    ["is no mapping", "- 1\n", /: write a mapping of keys to values at its top$/],
  ])("is refused when it %s, and not quoted", (_, yaml, expected) => {
    const { message } = refusal(yaml);
    expect(message).toMatch(expected);
    expect(message).not.toContain("s3cret");
  });

  it("is refused when it can't be read", () => {
    expect(refusal("", { file: "/nowhere/parallax.yaml" }).message).toBe(
      "reading /nowhere/parallax.yaml: the file can't be read; check --config and PARALLAX_CONFIG",
    );
  });
});
