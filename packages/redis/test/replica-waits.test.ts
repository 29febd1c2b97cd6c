import { eventually } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReplicaWaits, type ReplicaWaits } from "../src/replica-waits.ts";
import { type ScriptedRedis, startScriptedRedis } from "./support/scripted-redis.ts";

let server: ScriptedRedis;
let node: Redis;
let waits: ReplicaWaits;

beforeEach(async () => {
  server = await startScriptedRedis();
  node = new Redis(server.url, {
    retryStrategy: () => 5,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  });
  node.on("error", () => {});
  await eventually(() => node.status === "ready");
  waits = createReplicaWaits();
});
afterEach(async () => {
  node.disconnect();
  await server.stop();
});

const wait = (replicas = 1, timeoutMs = 100, socket: object = node.stream): Promise<number> =>
  waits.acknowledged({ node, socket, replicas, timeoutMs });

describe("waiting for replicas", () => {
  it("is done once for all who come while others wait, with the longest of their times", async () => {
    server.answer = (_, index) => `:${index + 1}\r\n`;
    const counts = await Promise.all([wait(), wait(1, 50), wait(1, 400), wait(1, 200)]);
    expect(counts).toEqual([1, 2, 2, 2]);
    expect(server.received).toEqual([
      ["wait", "1", "100"],
      ["wait", "1", "400"],
    ]);
  });

  it("is done anew for one who came after the question", async () => {
    server.answer = (_, index) => (index === 0 ? "hang" : ":2\r\n");
    const first = wait();
    await eventually(() => server.received.length === 1);
    const second = wait();
    server.cut();
    // The first is lost with its connection, and so is what the second would have waited for.
    expect(await Promise.all([first, second])).toEqual([0, 0]);
  });

  it("for other numbers of replicas stands in another line", async () => {
    server.answer = ([, replicas]) => `:${replicas}\r\n`;
    expect(await Promise.all([wait(1), wait(2), wait(1), wait(2)])).toEqual([1, 2, 1, 2]);
  });

  it("counts nobody when the connection is lost", async () => {
    server.answer = () => "close";
    expect(await wait()).toBe(0);
  });

  it("counts nobody on a connection that knows nothing of the write", async () => {
    const before = node.stream;
    server.cut();
    await eventually(() => node.status === "ready" && node.stream !== before);
    server.answer = () => ":3\r\n";
    expect(await wait(1, 100, before)).toBe(0);
    expect(await wait()).toBe(3);
  });

  it("counts nobody when Redis refuses", async () => {
    server.answer = () => "-ERR WAIT cannot be used with replica instances\r\n";
    expect(await wait()).toBe(0);
    server.answer = () => ":1\r\n";
    expect(await wait()).toBe(1);
  });
});
