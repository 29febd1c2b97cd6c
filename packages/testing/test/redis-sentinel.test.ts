import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SentinelFixture, startSentinel } from "../src/redis-sentinel.ts";

describe("a primary with replicas and Sentinels", () => {
  let sentinel: SentinelFixture;
  beforeAll(async () => {
    sentinel = await startSentinel();
  });
  afterAll(() => sentinel.stop());

  it("copies what is written to the replicas", async () => {
    const primary = await sentinel.primary();
    const client = primary.client();
    await client.set("key", "value");
    expect(await client.wait(2, 5000)).toBe(2);
  });

  it("hands over when it is asked to, and then fails over when the primary is killed", async () => {
    const first = await sentinel.primary();
    const second = await sentinel.failover();
    expect(second).not.toBe(first);
    await second.send("SET", "written", "after");
    await sentinel.settled();
    const third = await sentinel.failover({ kill: true });
    expect(third).not.toBe(second);
    await third.send("SET", "written", "again");
  });
});
