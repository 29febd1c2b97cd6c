import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import {
  createTemporaryDirectory,
  describeBackend,
  freePort,
  type RedisFixture,
  startRedis,
  type TemporaryDirectory,
} from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, parallax } from "./local-cluster.ts";

/** A start that fails says once what is wrong and what to do, shows no stack, and ends with 1. */
describe("a node that can't start", () => {
  let directory: TemporaryDirectory;
  beforeAll(async () => {
    directory = await createTemporaryDirectory("bad-start");
  });
  afterAll(() => directory.remove());

  async function start(yaml: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const file = join(directory.path, "parallax.config.yaml");
    await writeFile(file, yaml);
    const ended = await parallax(["start", "--config", file], {
      PARALLAX_PORT: String(await freePort()),
      ...env,
    });
    expect(ended.code).not.toBe(0);
    expect(ended.output).not.toMatch(/\n\s+at .+:\d+/);
    return ended;
  }

  it.each([
    ["a key that there is not", "server: { prot: 80 }", /:1: server\.prot: there is no such key; write port/],
    [
      "a broken duration",
      "server: { drainTimeout: soon }",
      /:1: server\.drainTimeout: write a duration such as 250ms/,
    ],
    [
      "high availability without Redis",
      "highAvailability: { enabled: true }",
      /:1: highAvailability\.enabled: needs Redis; set redis\.url, .* or PARALLAX_REDIS_URL/,
    ],
    ["no YAML", "a: [", /this is no YAML/],
  ])("with %s", async (_, yaml, expected) => {
    const { output } = await start(yaml);
    expect(output).toMatch(expected);
  });

  it("with a port that another process has", async () => {
    const taken: Server = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    const { output } = await start("", { PARALLAX_PORT: port });
    expect(output).toMatch(
      new RegExp(`127\\.0\\.0\\.1:${port}: another process has this port; .*server\\.port or PARALLAX_PORT`),
    );
    await new Promise((resolve) => taken.close(resolve));
  });

  it("with patterns that are broken: each file, and what is wrong with it", async () => {
    const patterns = join(directory.path, "patterns");
    await mkdir(patterns);
    await writeFile(join(patterns, "a.yaml"), "name: a\ncapabilities: []\naggregate: { strategy: vote }\n");
    await writeFile(join(patterns, "b.yml"), "name: [");
    const { output } = await start(`patterns: { directory: ${patterns} }`);
    expect(output).toMatch(/a\.yaml: capabilities: .*; aggregate/);
    expect(output).toMatch(/b\.yml: /);
  });
});

describeBackend("redis-standalone", "a node whose Redis is not as it should be", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis({ config: { requirepass: "right-password" } });
  });
  afterAll(() => redis.stop());

  const start = async (url: string): Promise<Ended> =>
    parallax(["start", "--ha", "--redis", url, "--port", String(await freePort()), "--node-id", "node-0"]);

  // Both take as long as a node waits for Redis.
  it.concurrent("says where it looked when nobody answers there, without the password", async () => {
    // A free port may become that of another test's Redis.
    const port = 1;
    const { code, output } = await start(`redis://:s3cret@127.0.0.1:${port}`);
    expect(code).not.toBe(0);
    expect(output).toMatch(
      new RegExp(`connecting to Redis at 127\\.0\\.0\\.1:${port}: .*check that it runs, and its address`),
    );
    expect(output).not.toContain("s3cret");
  }, 90_000);

  it.concurrent("says so when the password is wrong, without showing it", async () => {
    const { code, output } = await start(`redis://:wrong-password@127.0.0.1:${redis.port}`);
    expect(code).not.toBe(0);
    expect(output).toMatch(/it refuses the user or the password; correct those in redis\.url/);
    // Nobody waits for a password to become right.
    expect(output).not.toMatch(/no connection within/);
    expect(output).not.toContain("wrong-password");
  }, 90_000);

  it("refuses the Redis of another cluster, and names the remedy", async () => {
    const client = redis.client({ password: "right-password" });
    await client.set("parallax:ha:cluster", "staging");
    const { code, output } = await start(`redis://:right-password@127.0.0.1:${redis.port}`);
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /this Redis is used by cluster staging; give each cluster its own redis\.keyPrefix/,
    );
  });
});
