import { createConnections, defineScript, type RedisConnections } from "@parallax/redis";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openConnections } from "../src/connections.ts";

const append = defineScript({ name: "test.append", lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])" });

describeBackend("redis-standalone", "connections", () => {
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

  it("runs a script that the server has never seen, and again after SCRIPT FLUSH", async () => {
    expect(await connections.data.run(append, ["list"], ["a"])).toEqual({ reply: 1, replicas: 0 });
    await connections.data.command("SCRIPT", ["FLUSH"]);
    expect(await connections.data.run(append, ["list"], ["b"])).toEqual({ reply: 2, replicas: 0 });
  });

  it("says what Redis refuses, with its words", async () => {
    await expect(connections.data.command("HGET", ["list", "field"])).rejects.toMatchObject({
      code: "redis_reply",
    });
  });

  it("gives up at its deadline while the server hangs, says that the outcome is unknown, and works again afterwards", async () => {
    redis.pause();
    await expect(connections.lease.command("PING", [], { deadlineMs: 200 })).rejects.toMatchObject({
      code: "redis_unavailable",
    });
    redis.resume();
    await connections.lease.ready();
    redis.pause();
    await expect(connections.lease.command("PING", [], { deadlineMs: 200 })).rejects.toMatchObject({
      code: "timeout",
    });
    redis.resume();
    expect(await eventually(() => connections.lease.command("PING", []))).toBe("PONG");
  });

  it("settles what is under way as soon as the connection is lost", async () => {
    await connections.data.ready();
    redis.pause();
    const pending = expect(
      connections.data.command("PING", [], { deadlineMs: 60_000 }),
    ).rejects.toMatchObject({
      code: "timeout",
    });
    await redis.restart();
    await pending;
    expect(await connections.data.command("PING", [])).toBe("PONG");
  });

  it("listens again by itself after the connection was lost, and says when", async () => {
    const heard: string[] = [];
    let ready = 0;
    const stop = connections.subscriber.listen(
      ["news"],
      ({ payload }) => heard.push(payload),
      () => {
        ready += 1;
      },
    );
    await eventually(() => ready === 1);
    await connections.data.command("PUBLISH", ["news", "one"]);
    await eventually(() => heard.length === 1);
    await redis.restart();
    await eventually(() => ready === 2);
    await connections.data.command("PUBLISH", ["news", "two"]);
    await eventually(() => heard.length === 2);
    connections.subscriber.recycle("the test says so");
    await eventually(() => ready === 3);
    await connections.data.command("PUBLISH", ["news", "three"]);
    await eventually(() => heard.length === 3);
    stop();
    expect(heard).toEqual(["one", "two", "three"]);
  });

  it("makes a new client when the old one has ended", async () => {
    await connections.data.ready();
    await connections.data.command("CLIENT", ["KILL", "TYPE", "normal"]).catch(() => {});
    expect(await connections.data.command("PING", [])).toBe("PONG");
  });

  it("leaves a user's own client alone", async () => {
    const user = new Redis(redis.url, { lazyConnect: true });
    await using own = openConnections(user);
    expect(await own.data.command("PING", [])).toBe("PONG");
    expect(user.status).toBe("wait");
    await own.close();
    await user.connect();
    expect(await user.ping()).toBe("PONG");
    user.disconnect();
  });

  it("refuses everything once it is closed", async () => {
    const closed = createConnections({ url: redis.url });
    await closed.data.ready();
    await closed.close();
    await expect(closed.data.command("PING", [])).rejects.toMatchObject({ code: "redis_closed" });
  });
});

describe("connecting", () => {
  it("says what is missing when it is not told where Redis is", () => {
    expect(() => createConnections({}).data).toThrow(/redis:\/\/localhost:6379/);
  });
});
