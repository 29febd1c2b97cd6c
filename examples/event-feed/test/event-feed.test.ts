import { createEventBus } from "@parallax/event-bus";
import { memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import { describeBackend, eventually, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLogs, startNode } from "../src/nodes.ts";
import { type FeedEvent, readFeed } from "../src/reader.ts";
import { tour } from "../src/tour.ts";

async function takeTour(redisUrl: string | undefined): Promise<void> {
  const logs = openLogs(redisUrl);
  const orders: number[] = [];
  const nodes = [
    await startNode("node-0", logs.connect(), orders),
    await startNode("node-1", logs.connect(), orders),
  ] as const;
  const seen = await tour(...nodes, () => {});
  expect(seen.map(({ type, data }) => [type, data])).toEqual(
    [4, 5, 6, 7, 8, 9, 10].map((order) => ["placed", { type: "placed", order }]),
  );
  await nodes[1].kill();
  logs.close();
}

describeBackend("memory", "event feed", () => {
  it("continues at another node after the first has died", () => takeTour(undefined));

  it("sends a gap for what cannot be had any more", async () => {
    const space = memoryEventLogSpace();
    const node = await startNode("node-0", memoryTopicLog(space), []);
    const bus = createEventBus({ store: memoryTopicLog(space) });
    const cursor = await bus.position("order");
    for (const order of [1, 2, 3]) await node.place(order);
    space.trim("order", 0, 1);
    const seen: FeedEvent[] = [];
    const reader = readFeed(`${node.url}/feed`, cursor, (event) => seen.push(event));
    await eventually(() => seen.length === 2);
    expect(seen.map(({ type, data }) => ({ type, data }))).toEqual([
      { type: "gap", data: { from: 1, to: 2, reason: "trimmed" } },
      { type: "placed", data: { type: "placed", order: 3 } },
    ]);
    reader.close();
    await bus.close();
    await node.kill();
  });

  it("tells a reader whose id is none", async () => {
    const node = await startNode("node-0", memoryTopicLog(memoryEventLogSpace()), []);
    const answer = await fetch(`${node.url}/feed`, { headers: { "last-event-id": "nonsense" } });
    expect(await answer.text()).toContain("event: error");
    await node.kill();
  });
});

describeBackend("redis-standalone", "event feed", () => {
  let server: RedisFixture;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it("continues at another node after the first has died", () => takeTour(server.url));
});
