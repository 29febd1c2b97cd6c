import { describe, expect, it } from "vitest";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import type { Counts } from "./watch.ts";

const first = Number(process.env.SIM_SEED ?? 1);
const seeds = Number(process.env.SIM_SEEDS ?? 15);

/**
 * Whole clusters on a virtual clock: nodes as they are composed, agents with their SDK, one store. Nothing accepted is
 * lost, nothing ends twice, no result counts twice, and everything ends.
 */
describe("a cluster under faults", () => {
  it(
    `keeps its promises in ${seeds} histories from seed ${first}`,
    async () => {
      const counts: Counts = new Map();
      const startedMs = performance.now();
      let [accepted, excused, virtualMs] = [0, 0, 0];
      for (let seed = first; seed < first + seeds; seed += 1) {
        const history = await simulate(scenarioOf(seed), counts);
        expect(history.broken, `seed ${seed}: replay it with pnpm sim --seed ${seed}`).toEqual([]);
        accepted += history.accepted;
        excused += history.excused;
        virtualMs += history.virtualMs;
      }
      const seconds = (performance.now() - startedMs) / 1000;
      console.log(
        [
          `${seeds} histories, ${accepted} executions, ${Math.round(virtualMs / 60_000)} virtual minutes in ${seconds.toFixed(1)} s: ${Math.round((60 * seeds) / seconds)} histories a minute`,
          `lost by a roll-back of the store with a dead owner, as the contract says: ${excused}`,
          ...[...counts]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([what, times]) => `${String(times).padStart(8)}  ${what}`),
        ].join("\n"),
      );
    },
    seeds * 2000 + 60_000,
  );
});
