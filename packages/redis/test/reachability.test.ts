import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import type { RedisConnection } from "../src/connection.ts";
import { createKeySpace } from "../src/key-space.ts";
import { createReachability } from "../src/reachability.ts";

function setUp({ cluster }: { readonly cluster: boolean }) {
  const clock = createVirtualClock();
  const keySpace = createKeySpace({ cluster, partitions: 4 });
  const hanging = new Set<string>();
  const subscriber: { state: RedisConnection["state"] } = { state: "ready" };
  const changes: string[] = [];
  const asked: string[] = [];
  const data: Pick<RedisConnection, "run"> = {
    async run(_script, [key = ""], _args, { deadlineMs = 0 } = {}) {
      asked.push(key);
      if (!hanging.has(key)) return { reply: 0, replicas: 0 };
      await clock.sleep(deadlineMs);
      throw new Error("no answer");
    },
  };
  const reachability = createReachability({
    connections: { data, subscriber },
    keySpace,
    clock,
    everyMs: 1000,
    onChange: (broken) => changes.push(broken.join(", ")),
  });
  const stopping = new AbortController();
  const running = reachability.run(stopping.signal);
  return { clock, keySpace, hanging, subscriber, changes, asked, reachability, stopping, running };
}

describe("what a node reaches", () => {
  it("is all of it, as long as everything answers", async () => {
    const { clock, asked, reachability, changes, stopping, running } = setUp({ cluster: true });
    await clock.advance(3500);
    expect([reachability.broken, changes, asked.length]).toEqual([[], [], 16]);
    stopping.abort();
    await running;
    expect(clock.timers).toBe(0);
  });

  it("is less when one partition does not answer, though its connection is ready", async () => {
    const { clock, keySpace, hanging, reachability, changes } = setUp({ cluster: true });
    await clock.advance(100);
    hanging.add(keySpace.partitioned(2, "probe"));
    await clock.advance(1500);
    expect(reachability.broken).toEqual(["partition 2"]);
    expect(reachability.brokenFor(2000)).toEqual([]);
    await clock.advance(2000);
    expect(reachability.brokenFor(2000)).toEqual(["partition 2"]);
    hanging.clear();
    await clock.advance(1500);
    expect(reachability.brokenFor(0)).toEqual([]);
    expect(changes).toEqual(["partition 2", ""]);
  });

  it("is less when the subscriber is down, and names the one partition that a single Redis has as data", async () => {
    const { clock, keySpace, hanging, subscriber, reachability } = setUp({ cluster: false });
    subscriber.state = "down";
    hanging.add(keySpace.partitioned(0, "probe"));
    await clock.advance(4000);
    expect(reachability.brokenFor(1000)).toEqual(["subscriber", "data"]);
  });
});
