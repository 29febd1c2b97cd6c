import { env } from "node:process";
import { describe, expect, it } from "vitest";
import { harmless, nodeFaults, scenarioOf, storeFaults } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";

const seeds = Number(env.SIM_SEEDS ?? 100);
const firstSeed = Number(env.SIM_SEED ?? 1);

/** What must have happened at least once, or the runs prove less than they seem to. */
const transitions = [
  "member-joined",
  "member-suspected",
  "member-recovered",
  "member-failed",
  "member-draining",
  "member-left",
  "member-replaced",
  "member-removed",
  "spared",
  "ended: failed",
  "ended: replaced",
  "cut-off",
  "back",
  "reset",
  "restart",
];

async function explain(seed: number): Promise<string> {
  const { scenario, result } = await shrink(scenarioOf(seed));
  const clocks = scenario.clocks.map(({ rate }) => rate.toFixed(2)).join(", ");
  return [
    `seed ${seed}: ${result.violation}`,
    `replay: pnpm --filter @parallax/membership sim --seed ${seed}`,
    `clock rates ${clocks}, store ${scenario.storeRate.toFixed(3)}`,
    ...result.history.slice(-60),
  ].join("\n");
}

describe("[memory] simulation", () => {
  it(
    `keeps every invariant over ${seeds} seeds from ${firstSeed}, each fault and transition shown`,
    async () => {
      const total = new Map<string, number>();
      for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
        const { violation, counts } = await simulate(scenarioOf(seed));
        if (violation !== undefined) expect.fail(await explain(seed));
        for (const [what, times] of counts) total.set(what, (total.get(what) ?? 0) + times);
      }
      if (env.SIM_SEEDS) console.log([...total].map(([what, times]) => `${times}\t${what}`).join("\n"));
      const faults = Object.keys({ ...nodeFaults, ...harmless, ...storeFaults });
      const missing = [...faults, ...transitions].filter((what) => !total.has(what));
      if (seeds >= 50) expect(missing, "never happened").toEqual([]);
    },
    600_000 + seeds * 2000,
  );

  it("repeats a run exactly", async () => {
    const [one, other] = [await simulate(scenarioOf(7)), await simulate(scenarioOf(7))];
    expect(one.history).toEqual(other.history);
    expect(one.history.length).toBeGreaterThan(10);
  });
});
