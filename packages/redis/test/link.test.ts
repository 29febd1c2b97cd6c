import { noopLogger, seededRandom } from "@parallax/core";
import { createVirtualClock, eventually, type VirtualClock } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ConnectionState } from "../src/connection.ts";
import { createLink, type Link, type LinkOptions } from "../src/link.ts";
import { type ScriptedRedis, startScriptedRedis } from "./support/scripted-redis.ts";

let server: ScriptedRedis;
let clock: VirtualClock;
let clients: Redis[];
let states: ConnectionState[];
let errors: unknown[];
let links: Link[];

beforeEach(async () => {
  server = await startScriptedRedis();
  clock = createVirtualClock();
  clients = [];
  states = [];
  errors = [];
  links = [];
});
afterEach(async () => {
  for (const link of links) void link.close();
  await server.stop();
});

function open(options: Partial<LinkOptions> = {}): Link {
  const link = createLink({
    role: "data",
    createClient() {
      const client = new Redis(server.url, { retryStrategy: () => 10, maxRetriesPerRequest: 0 });
      clients.push(client);
      return client;
    },
    clock,
    random: seededRandom(1),
    logger: noopLogger,
    onError: (error) => errors.push(error),
    onReady: () => {},
    onBreak: () => {},
    onMessage: () => {},
    ...options,
  });
  link.subscribe((state) => states.push(state));
  links.push(link);
  return link;
}

describe("a link", () => {
  it("tells its states, and gives its client only while that can be used", async () => {
    const link = open();
    expect([link.state, link.client]).toEqual(["connecting", undefined]);
    const client = await link.whenReady("waiting", 1000);
    expect([link.state, link.client]).toEqual(["ready", client]);
    server.cut();
    await eventually(() => link.state === "down");
    expect(link.client).toBeUndefined();
    await eventually(() => link.state === "ready");
    await link.close();
    expect([states, link.client]).toEqual([["ready", "down", "ready", "closed"], undefined]);
    // Closed means that the socket is.
    expect(clients.map(({ status }) => status)).toEqual(["end"]);
  });

  it("makes a new client when the old one has ended", async () => {
    const link = open();
    await link.whenReady("waiting", 1000);
    clients[0]?.disconnect();
    await eventually(() => link.state === "down");
    await clock.advance(0);
    await eventually(() => link.state === "ready");
    expect([clients.length, link.client === clients[1]]).toEqual([2, true]);
  });

  it("makes one new client however often it is told to", async () => {
    const link = open();
    await link.whenReady("waiting", 1000);
    link.rebuild("once");
    link.rebuild("twice");
    link.rebuild("thrice");
    await clock.advance(5000);
    await eventually(() => link.state === "ready");
    expect(clients).toHaveLength(2);
    await eventually(() => clients[0]?.status === "end");
  });

  it("does not listen to a client that it has left", async () => {
    const link = open();
    await link.whenReady("waiting", 1000);
    link.rebuild("the test says so");
    await clock.advance(0);
    await eventually(() => link.state === "ready");
    clients[0]?.emit("close");
    clients[0]?.emit("end");
    clients[0]?.emit("error", new Error("late"));
    expect([link.state, clients.length, errors]).toEqual(["ready", 2, []]);
  });

  it("makes new clients later and later as long as none proves to be of use", async () => {
    const link = open({ random: { next: () => 0.999 } });
    const rebuild = async (): Promise<number> => {
      const count = clients.length;
      const startedMs = clock.now();
      link.rebuild("of no use");
      await clock.runUntil(() => clients.length > count, 2000);
      return Math.round(clock.now() - startedMs);
    };
    const waits: number[] = [];
    for (let index = 0; index < 9; index += 1) waits.push(await rebuild());
    expect(waits).toEqual([0, 50, 100, 200, 400, 799, 999, 999, 999]);
    link.proven();
    expect(await rebuild()).toBe(0);
  });

  it("tries again when no client could be made", async () => {
    let attempts = 0;
    const link = open({
      createClient() {
        attempts += 1;
        if (attempts < 3) throw new Error("no node to choose from");
        return new Redis(server.url);
      },
    });
    await clock.advance(2000);
    await eventually(() => link.state === "ready");
    expect([attempts, errors.length]).toEqual([3, 2]);
  });

  it("drops a client that was being made when it was closed", async () => {
    let finish = (): void => {};
    const link = open({
      async createClient() {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        const client = new Redis(server.url);
        clients.push(client);
        return client;
      },
    });
    await link.close();
    finish();
    await eventually(() => clients[0]?.status === "end");
    expect(link.state).toBe("closed");
  });

  it("arms no timer once it is closed", async () => {
    const link = open();
    await link.whenReady("waiting", 1000);
    link.rebuild("the test says so");
    await link.close();
    link.rebuild("too late");
    await clock.advance(5000);
    expect([clients.length, clock.timers]).toEqual([1, 0]);
  });
});

describe("waiting for a link", () => {
  it.each([
    ["a server", new Error("WRONGPASS invalid username-password pair or user is disabled.")],
    [
      "a Cluster",
      Object.assign(new Error("Failed to refresh"), { lastNodeError: new Error("NOAUTH required") }),
    ],
    ["a Sentinel", new Error("all unreachable", { cause: new Error("NOPERM this user has no permissions") })],
  ])("ends where the password is refused by %s, if it is to", async (_, error) => {
    const link = open({ createClient: () => Promise.reject(error) });
    const asked = link.whenReady("asking", 1000, { refusalEnds: true });
    const refused = expect(asked).rejects.toMatchObject({ code: "redis_auth", cause: error });
    await clock.advance(1000);
    await refused;
  });

  it("ends in time, at its signal, and when the link is closed, and leaves no timer", async () => {
    const link = open({ createClient: () => new Promise<never>(() => {}) });
    const late = expect(link.whenReady("asking", 100)).rejects.toMatchObject({ code: "redis_unavailable" });
    await clock.advance(100);
    await late;
    const controller = new AbortController();
    const aborted = link.whenReady("asking", 100, controller);
    controller.abort("enough");
    await expect(aborted).rejects.toMatchObject({ code: "aborted", cause: "enough" });
    await expect(link.whenReady("asking", 100, controller)).rejects.toMatchObject({ code: "aborted" });
    const closed = expect(link.whenReady("asking", 100)).rejects.toMatchObject({ code: "redis_closed" });
    await link.close();
    await closed;
    await expect(link.whenReady("asking", 100)).rejects.toMatchObject({ code: "redis_closed" });
    expect(clock.timers).toBe(0);
  });
});
