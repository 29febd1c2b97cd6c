import { describe, expect, it } from "vitest";
import { addHistory, emptyReport, printed } from "./report.ts";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { storyOf } from "./story.ts";

const histories = 40;

/**
 * Whole clusters on a virtual clock: nodes as they are composed, agents with their SDK, one store. Nothing accepted is
 * lost, nothing ends twice, no result counts twice, and everything ends. `pnpm sim` plays thousands of them.
 */
describe("a cluster under faults", () => {
  it(
    `keeps its promises in ${histories} histories`,
    async () => {
      const report = emptyReport();
      const startedMs = performance.now();
      for (let seed = 1; seed <= histories; seed += 1) {
        const history = await simulate(scenarioOf(seed), report.counts);
        addHistory(report, history, seed);
        expect(history.broken, `seed ${seed}: replay it with pnpm sim --seed ${seed}`).toEqual([]);
      }
      console.log(printed(report, { first: 1, seconds: (performance.now() - startedMs) / 1000, workers: 1 }));
    },
    histories * 2000 + 60_000,
  );

  it("repeats a history exactly", async () => {
    const [one, other] = [await storyOf(7), await storyOf(7)];
    expect(one.lines.length).toBeGreaterThan(50);
    expect(other.lines).toEqual(one.lines);
  }, 60_000);
});
