import {
  createFaultProxy,
  describeBackend,
  eventually,
  type FaultProxy,
  type RedisFixture,
  startRedis,
} from "@parallax/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { RedisConnections } from "../src/connection.ts";
import { createConnections } from "../src/connections.ts";
import { defineScript } from "../src/script.ts";

const add = defineScript({ name: "test.add", lua: "return redis.call('INCR', KEYS[1])" });
let redis: RedisFixture;
let proxy: FaultProxy;
let connections: RedisConnections;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.send("FLUSHALL");
  proxy = await createFaultProxy({ target: redis });
  connections = createConnections(
    { url: proxy.url },
    { deadlineMs: { data: 400, lease: 300, subscriber: 500 } },
  );
  await Promise.all([connections.data.ready(), connections.lease.ready(), connections.subscriber.ready()]);
});
afterEach(async () => {
  await connections.close();
  await proxy.stop();
});

describeBackend("redis-standalone", "a network that swallows everything while sockets stay open", () => {
  it("is noticed by a call, and what was lost is never sent again by itself", async () => {
    proxy.blackhole();
    const startedMs = performance.now();
    await expect(connections.lease.run(add, ["count"], [])).rejects.toMatchObject({ code: "timeout" });
    expect(performance.now() - startedMs).toBeLessThan(400);
    await eventually(() => connections.lease.state === "down");
    proxy.pass();
    await connections.lease.ready();
    expect((await connections.lease.run(add, ["count"], [])).reply).toBe(1);
  });

  it("is noticed by a subscriber that hears nothing anyway", async () => {
    let ready = 0;
    connections.subscriber.listen(
      ["news"],
      () => {},
      () => {
        ready += 1;
      },
    );
    await eventually(() => ready === 1);
    proxy.blackhole();
    await eventually(() => connections.subscriber.state === "down");
    proxy.pass();
    await eventually(() => ready === 2);
  });
});

describeBackend("redis-standalone", "a network that delays everything", () => {
  it("lets what timed out take effect later, so that only its caller knows whether to repeat it", async () => {
    proxy.hold("to-server");
    await expect(connections.data.run(add, ["count"], [], { deadlineMs: 100 })).rejects.toMatchObject({
      code: "timeout",
    });
    expect(await redis.send("GET", "count")).toBeNull();
    proxy.pass();
    await eventually(async () => (await redis.send("GET", "count")) === "1");
  });

  it("is measured", async () => {
    proxy.delay(50);
    await connections.data.command("PING", []);
    expect(connections.data.roundTripMs).toBeGreaterThan(95);
  });
});

describeBackend("redis-standalone", "a network that refuses", () => {
  it("keeps nobody waiting longer than the deadline, and is left as soon as it is well again", async () => {
    await proxy.refuse();
    await eventually(() => connections.data.state === "down");
    await expect(connections.data.command("PING", [], { deadlineMs: 200 })).rejects.toMatchObject({
      code: "redis_unavailable",
    });
    const call = connections.data.command("PING", [], { deadlineMs: 5000 });
    proxy.pass();
    expect(await call).toBe("PONG");
  });
});
