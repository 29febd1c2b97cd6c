import { type Random, seededRandom } from "@parallax/core";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { describe, expect, it } from "vitest";
import { formatCursor } from "../src/cursor.ts";
import { createEventBus, type Delivered, type EventBus, type Gap } from "../src/event-bus.ts";
import { type MemoryEventLogSpace, memoryEventLogSpace, memoryTopicLog } from "../src/memory.ts";
import type { LogPosition, TopicLog } from "../src/store.ts";
import { settle } from "./settle.ts";
import { discrepancies } from "./support/account.ts";

const topic = "execution";
const checkIntervalMs = 1000;
const partitions = 2;

type Fault = "lost" | "doubled" | "late" | "dead channel" | "failed read" | "rewound" | "dropped" | "trimmed";

interface Node {
  readonly bus: EventBus;
  readonly items: (Delivered | Gap)[];
}

interface Run {
  readonly space: MemoryEventLogSpace;
  readonly nodes: readonly Node[];
  readonly faults: ReadonlyMap<Fault, number>;
  readonly starts: readonly LogPosition[];
}

/** Two nodes under random faults of log, channel and store; then a quiet while. The same seed gives the same run. */
async function simulate(seed: number): Promise<Run> {
  const random = seededRandom(seed);
  const clock = createVirtualClock();
  const space = memoryEventLogSpace({ partitions, maxEntries: 40, random });
  const faults = new Map<Fault, number>();
  const chance = (probability: number): boolean => random.next() < probability;
  const count = (fault: Fault): void => void faults.set(fault, (faults.get(fault) ?? 0) + 1);
  const trouble = { on: true };
  const starts = [0, 1].map((partition) => space.log(topic, partition).top);

  const nodes: Node[] = [];
  for (const _ of ["one", "other"]) {
    const bus = createEventBus({
      store: faultyLog({ space, clock, random, chance, count, trouble }),
      ...{ clock, random, checkIntervalMs },
      onError: () => {},
    });
    const items: (Delivered | Gap)[] = [];
    bus.subscribe(topic, { from: { cursor: formatCursor(topic, starts) } }, (item) => items.push(item));
    nodes.push({ bus, items });
  }

  for (let step = 0; step < 150; step += 1) {
    const snapshot = space.snapshot();
    for (let left = Math.floor(random.next() * 5); left > 0; left -= 1) {
      const key = `k${Math.floor(random.next() * 8)}`;
      nodes[chance(0.5) ? 0 : 1]?.bus.publish(topic, { type: "step" }, { key }).catch(() => {});
    }
    await clock.advance(random.next() * 200);
    if (chance(0.02)) {
      space.restore(snapshot);
      count("rewound");
    }
    if (chance(0.005)) {
      space.drop();
      count("dropped");
    }
    if (chance(0.02)) {
      space.trim(topic, Math.floor(random.next() * partitions), Math.floor(random.next() * 5));
      count("trimmed");
    }
  }
  trouble.on = false;
  await clock.advance(30_000);
  for (const { bus } of nodes) await bus.close();
  return { space, nodes, faults, starts };
}

interface FaultyLogOptions {
  readonly space: MemoryEventLogSpace;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly chance: (probability: number) => boolean;
  readonly count: (fault: Fault) => void;
  readonly trouble: { readonly on: boolean };
}

/** A node's access to the log, through a network and to a store that both fail. */
function faultyLog({ space, clock, random, chance, count, trouble }: FaultyLogOptions): TopicLog {
  let dead = false;
  const log = memoryTopicLog(space, {
    clock,
    link(batch, handOn) {
      if (dead) return;
      if (!trouble.on) return handOn(batch);
      if (chance(0.005)) {
        dead = true;
        return count("dead channel");
      }
      if (chance(0.03)) return count("lost");
      handOn(batch);
      if (chance(0.03)) {
        count("doubled");
        handOn(batch);
      }
      if (chance(0.03)) {
        count("late");
        clock.after(random.next() * 500, () => handOn(batch));
      }
    },
  });
  async function maybe<T>(work: () => Promise<T>): Promise<T> {
    if (trouble.on) await clock.sleep(random.next() * 20);
    if (trouble.on && chance(0.05)) {
      count("failed read");
      throw new Error("no store");
    }
    const result = await work();
    if (trouble.on) await clock.sleep(random.next() * 20);
    return result;
  }
  return {
    ...log,
    position: (name) => maybe(() => log.position(name)),
    read: (...request) => maybe(() => log.read(...request)),
    recycle(reason) {
      dead = false;
      log.recycle(reason);
    },
  };
}

describe("E1: the whole bus under random faults", () => {
  const seen = new Map<string, number>();

  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    "loses nothing in silence (seed %i)",
    async (seed) => {
      const run = await simulate(seed);
      await settle();
      for (const { items } of run.nodes)
        for (const [partition, start] of run.starts.entries()) {
          const log = run.space.log(topic, partition);
          expect(discrepancies({ items, topic, partition, partitions, start, log })).toEqual([]);
        }
      for (const [fault, times] of run.faults) seen.set(fault, (seen.get(fault) ?? 0) + times);
      for (const { bus } of run.nodes)
        for (const [reason, times] of Object.entries(bus.stats().gaps))
          seen.set(`gap: ${reason}`, (seen.get(`gap: ${reason}`) ?? 0) + times);
    },
  );

  it("met every fault and every kind of gap", () => {
    for (const fault of [
      ...["lost", "doubled", "late", "dead channel", "failed read", "rewound", "dropped", "trimmed"],
      ...["gap: trimmed", "gap: epoch", "gap: rewound"],
    ])
      expect(seen.get(fault) ?? 0, fault).toBeGreaterThan(0);
  });
});
