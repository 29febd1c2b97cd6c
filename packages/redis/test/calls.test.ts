import { type Clock, systemClock, systemRandom } from "@parallax/core";
import { eventually } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RedisConnection, RedisConnections } from "../src/connection.ts";
import { createConnections } from "../src/connections.ts";
import { defineScript } from "../src/script.ts";
import { type ScriptedRedis, startScriptedRedis } from "./support/scripted-redis.ts";

const script = defineScript({ name: "test.add", lua: "return redis.call('INCR', KEYS[1])" });

let server: ScriptedRedis;
let connections: RedisConnections;
let data: RedisConnection;
const errors: unknown[] = [];

beforeEach(async () => {
  server = await startScriptedRedis();
  errors.length = 0;
  connections = createConnections({ url: server.url }, { onError: (error) => errors.push(error) });
  data = connections.data;
  await data.ready();
});
afterEach(async () => {
  await connections.close();
  await server.stop();
});

const names = (): string[] => server.received.map(([name = ""]) => name);

describe("what Redis refuses for a passing reason", () => {
  it.each([
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "NOREPLICAS Not enough good replicas to write. script: abc, on @user_script:1.",
    "ERR Error running script (call to f_0a): @user_script:1: -READONLY You can't write against a read only replica.",
  ])("is tried again until Redis does it: %s", async (refusal) => {
    server.answer = (_, index) => (index < 3 ? `-${refusal}\r\n` : ":1\r\n");
    expect(await data.run(script, ["key"], [])).toEqual({ reply: 1, replicas: 0 });
    expect(server.received).toHaveLength(4);
  });

  it("is told as unavailable when the time is up, with what Redis said, and nothing was done", async () => {
    server.answer = () => "-LOADING Redis is loading the dataset in memory\r\n";
    const startedMs = performance.now();
    await expect(data.run(script, ["key"], [], { deadlineMs: 300 })).rejects.toMatchObject({
      code: "redis_unavailable",
      message: expect.stringMatching(/^running test\.add: .*LOADING.*nothing was done/),
    });
    expect(performance.now() - startedMs).toBeLessThan(400);
    expect(server.received.length).toBeGreaterThan(3);
  });

  it("makes a connection leave a server that has become a replica", async () => {
    const before = server.accepted;
    server.answer = (_, index) => (index === 0 ? "-READONLY You can't write\r\n" : ":1\r\n");
    await data.run(script, ["key"], []);
    expect(server.accepted).toBeGreaterThan(before);
  });
});

describe("what Redis refuses for good", () => {
  it("is told at once, in its words, and not tried again", async () => {
    server.answer = () => "-WRONGTYPE Operation against a key\r\n";
    await expect(data.run(script, ["key"], [])).rejects.toMatchObject({
      code: "redis_reply",
      details: { reply: "WRONGTYPE Operation against a key" },
    });
    expect(server.received).toHaveLength(1);
  });
});

describe("a script", () => {
  it("that the server has not seen is sent in full, and only then", async () => {
    server.answer = ([name]) => (name === "evalsha" ? "-NOSCRIPT No matching script.\r\n" : ":7\r\n");
    expect((await data.run(script, ["key"], ["a", 2])).reply).toBe(7);
    expect(server.received).toEqual([
      ["evalsha", script.sha1, "1", "key", "a", "2"],
      ["eval", script.lua, "1", "key", "a", "2"],
    ]);
  });

  it("is not sent in full any more when the time is up, though no timer has fired yet", async () => {
    let busyMs = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + busyMs };
    await using late = createConnections({ url: server.url }, { clock });
    await late.data.ready();
    server.answer = ([name]) => {
      if (name !== "evalsha") return ":7\r\n";
      // The event loop was busy: the answer is read before the timer of the deadline.
      busyMs = 10_000;
      return "-NOSCRIPT No matching script.\r\n";
    };
    const call = late.data.run(script, ["key"], [], { deadlineMs: 5000 });
    await expect(call).rejects.toMatchObject({ code: "redis_unavailable" });
    await data.command("PING", []);
    expect(names()).toEqual(["evalsha", "ping"]);
  });
});

describe("a command that was written to a socket", () => {
  it("is never sent again when the connection breaks: its outcome is unknown", async () => {
    server.answer = ([name]) => (name === "incr" ? "close" : "+PONG\r\n");
    await expect(data.command("INCR", ["key"])).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringContaining("unknown"),
    });
    await data.command("PING", []);
    expect(names().filter((name) => name === "incr")).toHaveLength(1);
  });

  it("is never sent again when its client ends for good", async () => {
    server.answer = ([name]) => (name === "incr" ? "hang" : "+PONG\r\n");
    const pending = expect(data.command("INCR", ["key"])).rejects.toMatchObject({ code: "timeout" });
    await eventually(() => server.received.length === 1);
    data.recycle("the test says so");
    await pending;
    await data.command("PING", []);
    expect(names()).toEqual(["incr", "ping"]);
  });

  it("is given up at its deadline, and its late answer disturbs nobody", async () => {
    server.answer = ([name]) => (name === "incr" ? "hang" : "+PONG\r\n");
    const startedMs = performance.now();
    await expect(data.command("INCR", ["key"], { deadlineMs: 100 })).rejects.toMatchObject({
      code: "timeout",
    });
    expect(performance.now() - startedMs).toBeLessThan(200);
    const before = server.accepted;
    server.cut();
    await eventually(() => server.accepted > before);
    expect(await data.command("PING", [])).toBe("PONG");
  });
});

describe("replicas that are asked for", () => {
  it("are counted as none where their answer does not come: the write is done all the same", async () => {
    server.answer = ([name]) => (name === "wait" ? "hang" : ":7\r\n");
    const call = { deadlineMs: 2000, replicas: 1, replicaTimeoutMs: 50 };
    expect(await data.run(script, ["key"], [], call)).toEqual({ reply: 7, replicas: 0 });
  });

  it("are waited for no longer than a socket may be silent, or the wait would end it", async () => {
    await using impatient = createConnections({ url: server.url }, { deadlineMs: { data: 400 } });
    await impatient.data.ready();
    server.answer = ([name]) => (name === "wait" ? "hang" : ":7\r\n");
    const call = { deadlineMs: 5000, replicas: 1, replicaTimeoutMs: 5000 };
    await impatient.data.run(script, ["key"], [], call);
    const [, , timeoutMs] = server.received.find(([name]) => name === "wait") ?? [];
    expect(Number(timeoutMs)).toBeLessThan(400);
  });
});

describe("a silent server", () => {
  it("is noticed by its silence while an answer is due, and the connection is made anew", async () => {
    await connections.close();
    connections = createConnections({ url: server.url }, { deadlineMs: { data: 200 } });
    const impatient = connections.data;
    await impatient.ready();
    const before = server.accepted;
    server.answer = () => "hang";
    await expect(impatient.command("PING", [])).rejects.toMatchObject({ code: "timeout" });
    server.answer = () => "+PONG\r\n";
    await eventually(() => server.accepted > before);
    expect(await impatient.command("PING", [], { deadlineMs: 5000 })).toBe("PONG");
    expect(server.accepted).toBe(before + 1);
  });
});

describe("without a connection", () => {
  it("a call waits for one as long as it has time, and goes on", async () => {
    data.recycle("the test says so");
    expect(data.state).toBe("down");
    expect(await data.command("PING", [])).toBe("OK");
  });

  it("a call that finds none says so, with the reason, and was not sent", async () => {
    const nowhere = createConnections({ url: "redis://127.0.0.1:1" }, { random: systemRandom });
    await expect(nowhere.data.command("PING", [], { deadlineMs: 100 })).rejects.toMatchObject({
      code: "redis_unavailable",
      message: expect.stringMatching(/ECONNREFUSED 127\.0\.0\.1:1.*nothing was sent/),
    });
    await nowhere.close();
  });

  it("errors go to onError, wrapped, and never become unhandled", async () => {
    const { url } = server;
    await server.stop();
    await eventually(() => errors.length > 0);
    expect(errors[0]).toMatchObject({
      code: "redis_connection",
      message: expect.stringContaining("for data"),
    });
    expect(url).toContain("127.0.0.1");
    server = await startScriptedRedis();
  });
});

describe("a role", () => {
  it("takes what it is for", async () => {
    await expect(connections.subscriber.command("PING", [])).rejects.toMatchObject({ code: "wrong_role" });
    await expect(connections.subscriber.run(script, [], [])).rejects.toMatchObject({ code: "wrong_role" });
    expect(() =>
      data.listen(
        ["channel"],
        () => {},
        () => {},
      ),
    ).toThrow(/subscriber/);
  });
});
