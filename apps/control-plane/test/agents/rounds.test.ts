import { createVirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { createRounds, type Rounds } from "../../src/agents/rounds.ts";

describe("rounds", () => {
  const everyMs = 1000;

  function fixture(count = 0) {
    const clock = createVirtualClock();
    const looks: { item: number; atMs: number; lateMs: number }[] = [];
    const rounds: Rounds<number> = createRounds({
      clock,
      everyMs,
      look: (item, lateMs) => void looks.push({ item, atMs: clock.now(), lateMs }),
    });
    for (let item = 0; item < count; item += 1) rounds.add(item);
    return { clock, looks, rounds };
  }

  it("look at each once in their time, at an even part of them in one turn", async () => {
    const { clock, looks } = fixture(5000);
    await clock.advance(3 * everyMs);
    const byItem = groupBy(looks, ({ item }) => item);
    expect(byItem.size).toBe(5000);
    for (const [first, second, third, ...more] of byItem.values()) {
      expect(more).toEqual([]);
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeCloseTo(everyMs);
      expect((third?.atMs ?? 0) - (second?.atMs ?? 0)).toBeCloseTo(everyMs);
    }
    for (const turn of groupBy(looks, ({ atMs }) => atMs).values()) expect(turn).toHaveLength(250);
    expect(looks.every(({ lateMs }) => lateMs < 1)).toBe(true);
  });

  it("stay even when many have gone, and forget those", async () => {
    const { clock, looks, rounds } = fixture(200);
    await clock.advance(everyMs / 2);
    const items = new Set(Array.from({ length: 200 }, (_, item) => item));
    for (const { item } of looks) {
      rounds.delete(item);
      items.delete(item);
    }
    for (let item = 1000; item < 1100; item += 1) {
      rounds.add(item);
      items.add(item);
    }
    looks.length = 0;
    await clock.advance(everyMs);
    expect(looks).toHaveLength(200);
    expect(new Set(looks.map(({ item }) => item))).toEqual(items);
    for (const turn of groupBy(looks, ({ atMs }) => atMs).values()) expect(turn).toHaveLength(10);
  });

  it("tell each how much later than that it was looked at, also when its turn comes long after the delay", async () => {
    const { clock, looks } = fixture(20);
    await clock.advance(2 * everyMs);
    looks.length = 0;
    clock.stall(40_000);
    await clock.advance(40_000 + everyMs);
    const firsts = [...groupBy(looks, ({ item }) => item).values()].map(([first]) => first?.lateMs ?? 0);
    expect(firsts).toHaveLength(20);
    expect(Math.min(...firsts)).toBeGreaterThan(38_000);
    expect(Math.max(...firsts)).toBeLessThanOrEqual(40_000);
  });

  it("end", async () => {
    const { clock, looks, rounds } = fixture(1);
    rounds.stop();
    await clock.advance(2 * everyMs);
    expect(looks).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => number): Map<number, readonly Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
