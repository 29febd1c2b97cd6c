import { noopLogger } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { createDrain, type DrainOptions } from "../src/drain.ts";

const drainTimeoutMs = 30_000;

describe("a drain", () => {
  let clock: VirtualClock;
  let done: string[];
  let parts: DrainOptions;
  const never = () => new Promise<never>(() => {});

  beforeEach(() => {
    clock = createVirtualClock();
    done = [];
    const note = (what: string) => async (): Promise<void> => void done.push(what);
    parts = {
      clock,
      logger: noopLogger,
      drainTimeoutMs,
      lookAtTime: note("looked at the time"),
      health: { markDraining: () => void done.push("not ready") },
      membership: { drain: note("announced") },
      stopLeading: note("stepped down"),
      lastRequestMs: () => clock.now() - 60_000,
      work: {
        peers: { takers: () => [{ nodeId: "node-1", owner: "node-1#a", functions: [] }] },
        ownership: { open: 1, handOver: note("handed over"), leave: note("left") },
        hub: {
          size: 1,
          drain: note("agents sent away"),
          terminate: () => void done.push("connections ended"),
        },
      },
    };
  });

  /** Milliseconds until it is done. */
  async function run(changes: Partial<DrainOptions> = {}): Promise<number> {
    const startedMs = clock.now();
    let endedMs: number | undefined;
    void createDrain({ ...parts, ...changes })
      .run()
      .then(() => {
        endedMs = clock.now();
      });
    await clock.runUntil(() => endedMs !== undefined, 10 * drainTimeoutMs);
    return (endedMs ?? Number.NaN) - startedMs;
  }

  it("takes the node out of service first, and ends what is left last", async () => {
    expect(await run()).toBeLessThan(drainTimeoutMs / 5);
    expect(done.slice(0, 3)).toEqual(["not ready", "announced", "looked at the time"]);
    expect(done.slice(3, 6).sort()).toEqual(["agents sent away", "handed over", "stepped down"]);
    expect(done.slice(6)).toEqual(["handed over", "left", "connections ended"]);
  });

  it("spreads the agents over a third of its time, and not at all where nobody takes them", async () => {
    const windows: number[] = [];
    const hub = {
      ...parts.work.hub,
      drain: async (windowMs: number) => void windows.push(windowMs),
    };
    await run({ work: { ...parts.work, hub } });
    await run({ work: { ...parts.work, hub, peers: { takers: () => [] } } });
    expect(windows).toEqual([10_000, 0]);
  });

  it.each<[string, (parts: DrainOptions) => Partial<DrainOptions>]>([
    ["the store does not answer", () => ({ membership: { drain: never } })],
    ["work outlives leadership", () => ({ stopLeading: never })],
    [
      "executions can't be handed over",
      ({ work }) => ({ work: { ...work, ownership: { open: 1, handOver: never, leave: never } } }),
    ],
    ["agents do not go", ({ work }) => ({ work: { ...work, hub: { ...work.hub, drain: never } } })],
  ])("ends at its time when %s", async (_, broken) => {
    const tookMs = await run(broken(parts));
    expect(tookMs).toBeGreaterThan(0.9 * drainTimeoutMs);
    expect(tookMs).toBeLessThanOrEqual(drainTimeoutMs);
    expect(done.at(-1)).toBe("connections ended");
  });

  it("goes on with the other steps when one fails", async () => {
    const failing = async (): Promise<void> => Promise.reject(new Error("no"));
    expect(await run({ membership: { drain: failing } })).toBeLessThan(drainTimeoutMs / 5);
    expect(done).toContain("handed over");
  });

  it("happens once, whoever asks for it", async () => {
    const drain = createDrain(parts);
    const both = [drain.run(), drain.run()];
    expect(drain.signal.aborted).toBe(true);
    await clock.advance(drainTimeoutMs);
    await Promise.all(both);
    expect(done.filter((what) => what === "announced")).toHaveLength(1);
  });
});
