import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../src/eventually.ts";
import { type RedisFixture, startRedis } from "../src/redis-server.ts";

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe("a Redis server of a test's own", () => {
  let redis: RedisFixture;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.stop());

  it("answers at its port, with the configuration that was asked for", async () => {
    await using other = await startRedis({ config: { maxmemory: "8mb" } });
    expect(await redis.send("PING")).toBe("PONG");
    expect(await other.send("CONFIG", "GET", "maxmemory")).toEqual(["maxmemory", "8388608"]);
    expect(other.port).not.toBe(redis.port);
  });

  it("answers nobody while it is paused, and then does what was sent meanwhile", async () => {
    const client = redis.client();
    await client.ping();
    redis.pause();
    let isDone = false;
    const write = client.set("late", "yes").then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isDone).toBe(false);
    redis.resume();
    await write;
    expect(await client.get("late")).toBe("yes");
  });

  it("comes back at the same port after it was killed, without its data", async () => {
    await redis.send("SET", "key", "value");
    const { pid, port } = redis;
    await redis.kill();
    expect(isAlive(pid)).toBe(false);
    await redis.restart();
    expect([redis.port, await redis.send("GET", "key")]).toEqual([port, null]);
  });

  it("keeps its data over a restart if it is persistent, unless its disk is lost", async () => {
    await using persistent = await startRedis({ persistent: true });
    await persistent.send("SET", "key", "value");
    await persistent.restart();
    expect(await persistent.send("GET", "key")).toBe("value");
    await persistent.restart({ keepData: false });
    expect(await persistent.send("GET", "key")).toBe(null);
  });

  it("leaves neither process nor folder behind", async () => {
    const other = await startRedis();
    const reply = await other.send("CONFIG", "GET", "dir");
    const directory = Array.isArray(reply) ? String(reply[1]) : "";
    expect(existsSync(directory)).toBe(true);
    const { pid } = other;
    await other.stop();
    expect([isAlive(pid), existsSync(directory)]).toEqual([false, false]);
  });

  it("is asked for by clients that end with it", async () => {
    const other = await startRedis();
    const client = other.client();
    await client.ping();
    await other.stop();
    await eventually(() => client.status === "end");
  });

  it("that can't start says why", async () => {
    await expect(startRedis({ config: { maxmemory: "nonsense" } })).rejects.toThrow(/maxmemory/);
  });

  it("that is not installed says how to install it", async () => {
    const path = process.env.PATH;
    process.env.PATH = "/nowhere";
    try {
      await expect(startRedis()).rejects.toThrow(/apt-get install -y redis-server/);
    } finally {
      process.env.PATH = path;
    }
  });
});
