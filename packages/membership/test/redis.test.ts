import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type MembershipBackend, membershipStoreConformance } from "../src/conformance.ts";
import {
  createMembership,
  type Membership,
  type MembershipEvent,
  type MembershipOptions,
} from "../src/index.ts";
import { redisMembershipStore } from "../src/redis.ts";

let server: RedisFixture;
let redis: Redis;
beforeAll(async () => {
  // With DEBUG a new replication id can be had without a second server.
  server = await startRedis({ config: { "enable-debug-command": "yes" } });
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function redisBackend(): Promise<MembershipBackend> {
  await redis.flushall();
  return {
    open: () => redisMembershipStore(redis, { eventTopic: "cluster" }),
    pass: storeTime,
    flush: async () => void (await redis.flushall()),
    failOver: async () => void (await redis.call("DEBUG", "CHANGE-REPL-ID")),
    async events() {
      const entries = await redis.xrange("parallax:log:cluster", "-", "+");
      return entries.map(([, fields]) => JSON.parse(fields.at(-1) ?? "{}"));
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Waits until the store's clock has gone on. */
async function storeTime(ms: number): Promise<void> {
  const untilMs = (await nowMs()) + ms;
  while ((await nowMs()) < untilMs) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function nowMs(): Promise<number> {
  const [seconds = 0, micros = 0] = await redis.time();
  return seconds * 1000 + Math.floor(micros / 1000);
}

describeBackend("redis-standalone", "the membership store", () => {
  membershipStoreConformance({ describe, it }, redisBackend, { failOver: true, events: true });
});

interface LiveNode {
  readonly membership: Membership;
  readonly events: MembershipEvent[];
  stop(): Promise<void>;
}

async function startNodes(count: number, options: Partial<MembershipOptions>): Promise<LiveNode[]> {
  const nodes = Array.from({ length: count }, (_, index) => {
    const store = redisMembershipStore(redis);
    const controller = new AbortController();
    const events: MembershipEvent[] = [];
    const nodeId = `node-${index}`;
    const onError = () => {};
    const membership = createMembership({ store, nodeId, address: `${nodeId}:1`, onError, ...options });
    membership.subscribe((event) => events.push(event));
    const running = membership.run({ signal: controller.signal });
    return {
      membership,
      events,
      async stop() {
        controller.abort();
        await running;
        await store[Symbol.asyncDispose]();
      },
    };
  });
  await Promise.all(nodes.map(({ membership }) => membership.joined()));
  for (const { membership } of nodes) {
    await eventually(() => membership.view()?.members.length === count, { message: "a view of all" });
  }
  return nodes;
}

function types(nodes: readonly LiveNode[]): Set<string> {
  return new Set(nodes.flatMap(({ events }) => events.map(({ type }) => type)));
}

describeBackend("redis-standalone", "a table of which a part is gone", () => {
  it.each(["members", "reports", "beats", "view"])("is a lost one when it is the %s", async (part) => {
    await redis.flushall();
    await using store = redisMembershipStore(redis);
    const report = { leading: undefined, capacity: {}, facts: {} };
    const joining = { nodeId: "node-0", incarnation: "inc", address: "a:1", zone: undefined, report };
    const { view } = await store.join(joining, { deadlineMs: 5000 });
    await redis.del(`parallax:ha:${part}`);
    const beating = { ...joining, memberEpoch: view.epoch, known: view };
    expect((await store.beat(beating, { deadlineMs: 5000 })).outcome).toBe("rejoin");
    const after = await store.read({ deadlineMs: 5000 });
    expect(after.epoch).not.toBe(view.epoch);
    expect(after.members).toEqual([]);
    expect((await store.join(joining, { deadlineMs: 5000 })).outcome).toBe("joined");
  });
});

describeBackend("redis-standalone", "a cluster", () => {
  beforeEach(() => redis.flushall());

  it("hears of joins and leaves by hints, long before an interval is over", async () => {
    const interval = { checkIntervalMs: 600_000, timeoutMs: 3000 };
    const [leaver, ...others] = await startNodes(3, interval);
    await leaver?.stop();
    await eventually(() => others.every(({ events }) => events.some(({ type }) => type === "left")));
    for (const { membership, stop } of others) {
      expect(membership.view()?.members.length).toBeLessThanOrEqual(2);
      await stop();
    }
  });

  it("fails nobody when Redis hangs for several time-outs and comes back", async () => {
    const nodes = await startNodes(3, { checkIntervalMs: 200, timeoutMs: 150 });
    server.pause();
    await eventually(() => nodes.every(({ events }) => events.some(({ type }) => type === "cut-off")));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    server.resume();
    await eventually(() => nodes.every(({ events }) => events.some(({ type }) => type === "back")));
    const backAtMs = await nowMs();
    await eventually(async () => (await nowMs()) - backAtMs > 1500);
    expect(types(nodes)).not.toContain("failed");
    expect(types(nodes)).not.toContain("ended");
    for (const { stop } of nodes) await stop();
  });

  it("goes on as the same incarnations when Redis restarts without its data", async () => {
    const nodes = await startNodes(3, { checkIntervalMs: 200, timeoutMs: 150 });
    const incarnations = nodes.map(({ membership }) => membership.incarnation);
    await server.restart();
    await eventually(() => nodes.every(({ events }) => events.some(({ type }) => type === "reset")));
    await eventually(() => nodes.every(({ membership }) => membership.view()?.members.length === 3));
    expect(nodes.map(({ membership }) => membership.incarnation)).toEqual(incarnations);
    expect(types(nodes)).not.toContain("ended");
    for (const { stop } of nodes) await stop();
  });
});
