import { seededRandom } from "@parallax/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cluster, movingSlots } from "./cluster.ts";
import type { OpenStage, Outcome, Stage } from "./scene.ts";
import { sentinel } from "./sentinel.ts";
import { brieflyCutOffSubscriber, cutOffSubscriber, standalone } from "./standalone.ts";

// By default each fault of a single server once; `pnpm faults` makes 500 runs of all of them, many at the same time.
const isLong = process.env.FAULT_RUNS !== undefined;
const stages: readonly Stage[] = isLong
  ? [standalone, cutOffSubscriber, sentinel, cluster, movingSlots]
  : [{ ...standalone, lanes: 1 }, brieflyCutOffSubscriber];
const everything = stages.flatMap((stage) => stage.faults.map(({ name }) => ({ stage, name })));
const runs = Number(process.env.FAULT_RUNS ?? everything.length);
const firstSeed = Number(process.env.FAULT_SEED ?? 0);
const only = process.env.FAULT_ONLY ?? "";

interface Run {
  readonly seed: number;
  readonly name: string;
}

/** What is played one after the other on the same servers. The same seed always meets the same fault. */
interface Lane {
  readonly title: string;
  readonly stage: Stage;
  readonly runs: readonly Run[];
}

const plan = Array.from({ length: runs }, (_, index) => {
  const seed = firstSeed + index;
  return { seed, ...everything[seed % everything.length] };
});

const lanes: readonly Lane[] = stages.flatMap((stage) => {
  const ofStage = plan.flatMap(({ stage: its, seed, name }) =>
    its === stage && name?.includes(only) ? [{ seed, name }] : [],
  );
  return Array.from({ length: stage.lanes }, (_, lane) => ({
    title: `${stage.faults[0]?.name}, … (${lane + 1})`,
    stage,
    runs: ofStage.filter((_run, index) => index % stage.lanes === lane),
  })).filter((lane) => lane.runs.length > 0);
});

const summary = new Map<string, Record<"runs" | "acknowledged" | "refused" | "delivered" | "gaps", number>>();

function note(name: string, { acknowledged, refused, delivered, gaps }: Outcome): void {
  const before = summary.get(name) ?? { runs: 0, acknowledged: 0, refused: 0, delivered: 0, gaps: 0 };
  summary.set(name, {
    runs: before.runs + 1,
    acknowledged: before.acknowledged + acknowledged,
    refused: before.refused + refused,
    delivered: before.delivered + delivered,
    gaps: before.gaps + gaps.length,
  });
}

afterAll(() => {
  if (isLong) console.table(Object.fromEntries([...summary].sort()));
});

for (const { title, stage, runs: played } of lanes)
  describe.concurrent(`E1: real faults under load: ${title}`, () => {
    let open: OpenStage;
    beforeAll(async () => {
      open = await stage.open();
    }, 120_000);
    afterAll(() => open.close(), 60_000);

    it.sequential.each(played)(
      "$name: delivered and gaps are what was appended (seed $seed)",
      async ({ seed, name }) => {
        const outcome = await open.play(name, `run${seed}:`, seededRandom(seed));
        note(name, outcome);
        expect(outcome).toMatchObject({ discrepancies: [], surprises: [] });
      },
      300_000,
    );
  });
