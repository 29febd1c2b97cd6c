import { seededRandom } from "@parallax/core";
import { afterAll, describe, expect, it } from "vitest";
import { witness } from "../support/redis-bus.ts";
import { createFaults, publishThrough, topic } from "./scene.ts";

// By default one run of each fault on a single server; `pnpm faults` makes 500, with Sentinel fail-overs among them.
const runs = Number(process.env.FAULT_RUNS ?? 5);
const firstSeed = Number(process.env.FAULT_SEED ?? 1);

const { faults, close } = createFaults();
const summary = new Map<string, { runs: number; published: number; delivered: number; gaps: number }>();

afterAll(async () => {
  await close();
  if (process.env.FAULT_RUNS !== undefined) console.table(Object.fromEntries(summary));
}, 60_000);

const plan = Array.from({ length: runs }, (_, index) => ({
  seed: firstSeed + index,
  fault: faults[index % faults.length],
}));

describe("E1: real faults under load", () => {
  it.each(plan.flatMap(({ seed, fault }) => (fault ? [{ name: fault.name, seed, fault }] : [])))(
    "$name: delivered and gaps are what was appended (seed $seed)",
    async ({ seed, fault }) => {
      const scene = await fault.prepare(`run${seed}:`, seededRandom(seed));
      try {
        const seen = await witness(scene.subscriber, topic);
        const published = await publishThrough(scene, () => fault.strike(scene));
        expect(await seen.discrepancies(scene.publisher.log)).toEqual([]);
        const gaps = seen.items.flatMap((item) => (item.type === "gap" ? [item.reason] : []));
        expect(fault.gaps).toEqual(expect.arrayContaining(gaps));
        const before = summary.get(fault.name) ?? { runs: 0, published: 0, delivered: 0, gaps: 0 };
        summary.set(fault.name, {
          runs: before.runs + 1,
          published: before.published + published,
          delivered: before.delivered + seen.items.length - gaps.length,
          gaps: before.gaps + gaps.length,
        });
      } finally {
        await scene.publisher.bus.close();
        await scene.subscriber.bus.close();
      }
    },
    120_000,
  );
});
