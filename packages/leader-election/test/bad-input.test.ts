import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { createElection, type ElectionOptions } from "../src/index.ts";
import { memoryLeaseSpace, memoryLeaseStore } from "../src/memory.ts";
import { redisLeaseStore } from "../src/redis.ts";

const store = memoryLeaseStore(memoryLeaseSpace());

/** Leads, and stops. */
async function leadOnce(options: Partial<ElectionOptions>, listener: () => void): Promise<boolean> {
  const election = createElection({ store: memoryLeaseStore(memoryLeaseSpace()), nodeId: "a", ...options });
  const stop = new AbortController();
  let hasLed = false;
  election.subscribe(listener);
  await election.run(
    async () => {
      hasLed = true;
      stop.abort();
    },
    { signal: stop.signal },
  );
  return hasLed;
}

const fail = (): never => {
  throw new Error("the user's own");
};

describe("an election that is used wrongly", () => {
  it.each([
    ["store", undefined, "store is a lease store, such as redisLeaseStore(client)"],
    ["store", {}, "store is a lease store, such as redisLeaseStore(client)"],
    ["nodeId", undefined, "nodeId is a text and not empty"],
    ["nodeId", 5, "nodeId is a text and not empty"],
    ["incarnation", "", "incarnation is a text and not empty"],
    ["onMissingRecord", "waits", "onMissingRecord is acquire or wait"],
    ["overrun", "kill", "overrun is expire or exit"],
  ])("refuses %s %j, and says what would be right", (option, value, relation) => {
    expect(() => Reflect.apply(createElection, undefined, [{ store, nodeId: "a", [option]: value }])).toThrow(
      expect.objectContaining({ code: "invalid_options", details: { relation } }),
    );
  });

  it("refuses work that is no function before it takes the lease", async () => {
    const space = memoryLeaseSpace();
    const election = createElection({ store: memoryLeaseStore(space), nodeId: "a" });
    await expect(Reflect.apply(election.run, election, [undefined])).rejects.toMatchObject({
      code: "invalid_options",
    });
    expect(space.reading().record).toBeUndefined();
  });

  it.each([[undefined], ["redis://localhost:6379"], [{}]])("refuses %j for a client of Redis", (client) => {
    expect(() => Reflect.apply(redisLeaseStore, undefined, [client])).toThrow(
      expect.objectContaining({ code: "invalid_options" }),
    );
  });

  it("says that there is no Redis, within the time of a call", async () => {
    const errors: unknown[] = [];
    const stop = new AbortController();
    const election = createElection({
      store: redisLeaseStore(new Redis("redis://127.0.0.1:1", { lazyConnect: true })),
      nodeId: "a",
      leaseDurationMs: 900,
      onError(error) {
        errors.push(error);
        stop.abort();
      },
    });
    await election.run(async () => {}, { signal: stop.signal });
    expect(errors[0]).toMatchObject({ code: "redis_unavailable" });
  });

  it("leads although listeners and onError throw", async () => {
    expect(await leadOnce({ onError: fail }, fail)).toBe(true);
  });

  it("hears of a listener that rejects", async () => {
    const errors: unknown[] = [];
    const isLed = await leadOnce({ onError: (error) => errors.push(error) }, async () => fail());
    expect(isLed).toBe(true);
    expect(errors.length).toBeGreaterThan(0);
  });
});
