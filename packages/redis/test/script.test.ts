import { createHash } from "node:crypto";
import { describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisConnections } from "../src/connection.ts";
import { createConnections } from "../src/connections.ts";
import { nowLua, serverIdentityLua } from "../src/lua.ts";
import { defineScript } from "../src/script.ts";

describe("a script", () => {
  it("carries the hash by which Redis knows it", () => {
    const script = defineScript({ name: "test.one", lua: "return 1" });
    expect(script).toEqual({
      name: "test.one",
      lua: "return 1",
      readOnly: false,
      sha1: createHash("sha1").update("return 1").digest("hex"),
    });
    expect(defineScript({ name: "test.read", lua: "return 1", readOnly: true }).readOnly).toBe(true);
  });
});

describeBackend("redis-standalone", "Lua fragments", () => {
  let redis: RedisFixture;
  let connections: RedisConnections;
  beforeAll(async () => {
    redis = await startRedis();
    connections = createConnections({ url: redis.url });
  });
  afterAll(async () => {
    await connections.close();
    await redis.stop();
  });
  const run = async (lua: string): Promise<unknown> =>
    (await connections.data.run(defineScript({ name: "test.fragment", lua }), [], [])).reply;

  it("read the time once, in milliseconds", async () => {
    const before = Date.now();
    const busy = "for step = 1, 200000 do math.sqrt(step) end";
    const reply = await run(
      `${nowLua} local first = now_ms() ${busy} return { first - 1, first == now_ms() and 1 or 0 }`,
    );
    const [time, isSame] = Array.isArray(reply) ? reply : [];
    expect(isSame).toBe(1);
    expect(Math.abs(Number(time) - before)).toBeLessThan(1000);
  });

  it("tell the server's identity: its replication, its run, and how long it is up", async () => {
    const lua = `${serverIdentityLua} local replid, run_id, uptime_ms = server_identity() return { replid, run_id, uptime_ms }`;
    const [replid, runId, uptimeMs] = Object.values((await run(lua)) ?? {});
    expect([replid, runId]).toEqual([
      expect.stringMatching(/^[0-9a-f]{40}$/),
      expect.stringMatching(/^[0-9a-f]{40}$/),
    ]);
    expect(Number(uptimeMs) % 1000).toBe(0);
    await redis.restart();
    const [, nextRunId] = Object.values((await run(lua)) ?? {});
    expect(nextRunId).not.toBe(runId);
  });
});
