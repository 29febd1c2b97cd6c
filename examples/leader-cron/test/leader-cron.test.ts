import { describeBackend, type RedisFixture, startRedis } from "@parallax/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Ledger, memoryLedger, redisLedger } from "../src/ledger.ts";
import { openShared } from "../src/nodes.ts";
import { tour } from "../src/tour.ts";

async function takeTour(redisUrl: string | undefined): Promise<void> {
  const shared = openShared(redisUrl);
  const ran = await tour(shared, () => {});
  const slots = ran.map(({ slot }) => slot);
  expect(new Set(slots).size).toBe(slots.length);
  expect(slots).toEqual(slots.toSorted((one, other) => one - other));
  expect(new Set(ran.map(({ name }) => name)).size).toBe(2);
  shared.close();
}

async function claims(ledger: Ledger): Promise<void> {
  expect(await ledger.claim("job", 1, 10)).toBe("due");
  expect(await ledger.claim("job", 1, 10)).toBe("done");
  expect(await ledger.claim("job", 1, 11)).toBe("done");
  expect(await ledger.claim("job", 2, 10)).toBe("fenced");
  expect(await ledger.claim("job", 2, 11)).toBe("due");
  expect(await ledger.claim("other", 1, 10)).toBe("due");
}

describeBackend("memory", "leader cron", () => {
  it("runs each due time once, also while the leader dies", () => takeTour(undefined));
  it("claims a due time once, and for no stale leader", () => claims(memoryLedger()));
});

describeBackend("redis-standalone", "leader cron", () => {
  let server: RedisFixture;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it("runs each due time once, also while the leader dies", () => takeTour(server.url));
  it("claims a due time once, and for no stale leader", () => claims(redisLedger(server.client())));
});
