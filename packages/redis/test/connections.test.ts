import { systemClock } from "@parallax/core";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RedisConnections } from "../src/connection.ts";
import { createConnections, openConnections } from "../src/connections.ts";
import { defineScript } from "../src/script.ts";
import { describeConnections } from "./support/conformance.ts";

const append = defineScript({ name: "test.append", lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])" });

describeBackend("redis-standalone", "Redis", () => {
  let redis: RedisFixture;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  describeConnections(() => createConnections({ url: redis.url }));

  it("connecting asks for nothing that a server could refuse", async () => {
    await redis.send("CONFIG", "RESETSTAT");
    await using own = createConnections({ url: redis.url });
    await Promise.all([own.lease.ready(), own.data.ready(), own.subscriber.ready()]);
    expect(await redis.send("INFO", "errorstats")).toBe("# Errorstats\r\n");
  });

  describe("faults", () => {
    let connections: RedisConnections;
    beforeEach(async () => {
      await redis.send("FLUSHALL");
      connections = createConnections({ url: redis.url });
      await connections.data.ready();
    });
    afterEach(() => connections.close());

    it("a server that has forgotten its scripts is told them again", async () => {
      expect((await connections.data.run(append, ["list"], ["a"])).reply).toBe(1);
      await connections.data.command("SCRIPT", ["FLUSH"]);
      expect((await connections.data.run(append, ["list"], ["b"])).reply).toBe(2);
      await redis.restart();
      expect((await connections.data.run(append, ["list"], ["c"])).reply).toBe(1);
    });

    it("a call gives up at its deadline while the server hangs, and its effect may come later", async () => {
      redis.pause();
      const startedMs = performance.now();
      const call = connections.lease.run(append, ["list"], ["late"], { deadlineMs: 200 });
      // Nobody has answered the connection itself yet, so nothing was sent.
      await expect(call).rejects.toMatchObject({ code: "redis_unavailable" });
      const sent = connections.data.run(append, ["list"], ["late"], { deadlineMs: 200 });
      await expect(sent).rejects.toMatchObject({ code: "timeout" });
      expect(performance.now() - startedMs).toBeLessThan(700);
      redis.resume();
      // It was in the server's socket: what timed out is done all the same, once.
      await eventually(async () => (await redis.send("LLEN", "list")) === 1);
      expect(await eventually(() => connections.data.command("LRANGE", ["list", 0, -1]))).toEqual(["late"]);
    });

    it("what is under way is settled as soon as the connection is lost", async () => {
      redis.pause();
      const call = connections.data.command("PING", [], { deadlineMs: 60_000 });
      const settled = expect(call).rejects.toMatchObject({ code: "timeout" });
      await redis.restart();
      await settled;
      expect(await connections.data.command("PING", [])).toBe("PONG");
    });

    it("a connection that came back is not taken for the silent one before it", async () => {
      const silenceMs = 1500;
      await using own = createConnections({ url: redis.url }, { deadlineMs: { data: silenceMs } });
      await own.data.ready();
      redis.pause();
      const unanswered = expect(own.data.command("PING", [])).rejects.toMatchObject({ code: "timeout" });
      await redis.restart();
      await unanswered;
      expect(await own.data.command("PING", [])).toBe("PONG");
      const states: string[] = [];
      own.data.subscribe((state) => states.push(state));
      // Until the time-out of the old connection would have struck.
      await systemClock.sleep(silenceMs + 100);
      expect(states).toEqual([]);
    });

    it("a subscriber listens again by itself, and says when", async () => {
      const heard: string[] = [];
      let ready = 0;
      connections.subscriber.listen(
        ["news"],
        ({ payload }) => heard.push(payload),
        () => {
          ready += 1;
        },
      );
      await eventually(() => ready === 1);
      await redis.restart();
      await eventually(() => ready === 2);
      await connections.data.command("PUBLISH", ["news", "back"]);
      await eventually(() => heard.length === 1);
    });

    it("a listener that throws, at a message or when it is ready, disturbs nobody", async () => {
      const errors: unknown[] = [];
      await using own = createConnections({ url: redis.url }, { onError: (error) => errors.push(error) });
      const fail = (): void => {
        throw new Error("a listener's own");
      };
      let heard = 0;
      let ready = 0;
      own.subscriber.listen(["news"], fail, fail);
      own.subscriber.listen(
        ["news"],
        () => {
          heard += 1;
        },
        () => {
          ready += 1;
        },
      );
      await eventually(() => ready === 1 && errors.length === 1);
      await connections.data.command("PUBLISH", ["news", "one"]);
      await eventually(() => heard === 1 && errors.length === 2);
      expect([own.subscriber.state, ready]).toEqual(["ready", 1]);
    });

    it("a channel is heard as long as anybody listens on it", async () => {
      const heard: string[] = [];
      let ready = 0;
      const listen = (name: string): (() => void) =>
        connections.subscriber.listen(
          ["news"],
          ({ payload }) => heard.push(`${name} ${payload}`),
          () => {
            ready += 1;
          },
        );
      const stop = listen("first");
      listen("second");
      await eventually(() => ready === 2);
      stop();
      stop();
      await connections.data.command("PUBLISH", ["news", "one"]);
      await eventually(() => heard.length > 0);
      expect(heard).toEqual(["second one"]);
    });

    it("a listener that a change of state adds is told once that it is ready", async () => {
      let ready = 0;
      const { subscriber } = connections;
      subscriber.subscribe((state) => {
        if (state !== "ready") return;
        subscriber.listen(
          ["news"],
          () => {},
          () => {
            ready += 1;
          },
        );
      });
      await eventually(() => ready === 1);
      await connections.data.command("PING", []);
      expect(ready).toBe(1);
    });

    it("a connection that was of use is made anew at once, however often", async () => {
      await using own = createConnections({ url: redis.url }, { random: { next: () => 0.999 } });
      let ready = 0;
      own.subscriber.listen(
        ["news"],
        () => {},
        () => {
          ready += 1;
        },
      );
      await eventually(() => ready === 1);
      const startedMs = performance.now();
      for (let round = 1; round <= 8; round += 1) {
        own.subscriber.recycle("the test says so");
        own.data.recycle("the test says so");
        await own.data.command("PING", []);
        await eventually(() => ready === round + 1);
      }
      // It would be 2500 ms if each time were taken for one more failure.
      expect(performance.now() - startedMs).toBeLessThan(1200);
    });

    it("a killed client comes back", async () => {
      const states: string[] = [];
      connections.data.subscribe((state) => states.push(state));
      await redis.send("CLIENT", "KILL", "TYPE", "normal");
      await eventually(() => states.length === 2);
      expect(states).toEqual(["down", "ready"]);
      expect(await connections.data.command("PING", [])).toBe("PONG");
    });
  });

  describe("a user's own client", () => {
    it("is left alone, and what it has set for itself changes nothing of ours", async () => {
      const user = new Redis(redis.url, {
        lazyConnect: true,
        keyPrefix: "user:",
        stringNumbers: true,
        commandTimeout: 1,
        enableAutoPipelining: true,
        failoverDetector: true,
      });
      await using own = openConnections(user);
      expect(own.mode).toBe("standalone");
      // Longer than the user's time-out.
      const slow = defineScript({ name: "test.slow", lua: `for step = 1, 2000000 do end ${append.lua}` });
      expect((await own.data.run(slow, ["plain"], ["a"])).reply).toBe(1);
      expect(await redis.send("EXISTS", "plain")).toBe(1);
      expect(user.status).toBe("wait");
      // Channels are ours by name, too.
      const heard: string[] = [];
      let isReady = false;
      own.subscriber.listen(
        ["plain"],
        ({ payload }) => heard.push(payload),
        () => {
          isReady = true;
        },
      );
      await eventually(() => isReady);
      await redis.send("PUBLISH", "plain", "news");
      await eventually(() => heard.includes("news"));
      await own.close();
      expect(user.status).toBe("wait");
      expect(user.options).toMatchObject({
        keyPrefix: "user:",
        commandTimeout: 1,
        enableAutoPipelining: true,
      });
      user.disconnect();
    });
  });

  it("connections that are shared stay open when what was opened on them is closed", async () => {
    await using shared = createConnections({ url: redis.url });
    const borrowed = openConnections(shared);
    expect(borrowed.data).toBe(shared.data);
    await borrowed.close();
    expect(await shared.data.command("PING", [])).toBe("PONG");
  });
});
