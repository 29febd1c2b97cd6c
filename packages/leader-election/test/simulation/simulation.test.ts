import { env } from "node:process";
import { describe, expect, it } from "vitest";
import { explain, tally } from "./explain.ts";
import { faultKinds, scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";

const seeds = Number(env.SIM_SEEDS ?? 100);
const firstSeed = Number(env.SIM_SEED ?? 1);

/** What must have happened at least once, or the runs prove less than they seem to. */
const transitions = [
  "elected",
  "store-changed",
  "ended: deadline",
  "ended: superseded",
  "ended: deposed",
  "ended: stepped-down",
  "ended: reissued",
  "ended: stopped",
  "acquire tombstone: granted",
  "acquire tombstone: refused",
  "acquire expired: granted",
  "acquire waited: granted",
  "acquire waited: refused",
  "acquire vacant: granted",
  "acquire vacant: refused",
  "renew: renewed",
  "renew: renewed over a loss",
  "renew: lost",
  "release: done",
  "release: nothing to do",
  "challenge: taken",
  "loss marked",
  "write accepted",
  "write refused",
  "overlap after depose",
];

describe("simulation", () => {
  it(
    `keeps every invariant over ${seeds} seeds from ${firstSeed}, each fault and transition shown`,
    async () => {
      const total = new Map<string, number>();
      for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
        const scenario = scenarioOf(seed);
        const { violation, counts } = await simulate(scenario);
        if (violation !== undefined) expect.fail(await explain(scenario, "history"));
        for (const [what, times] of counts) total.set(what, (total.get(what) ?? 0) + times);
      }
      if (env.SIM_SEEDS) console.log(`${seeds} histories from seed ${firstSeed}\n${tally(total)}`);
      const missing = [...Object.keys(faultKinds), ...transitions].filter((what) => !total.has(what));
      if (seeds >= 100) expect(missing, "never happened").toEqual([]);
    },
    600_000 + seeds * 2000,
  );

  it("repeats a run exactly", async () => {
    const [one, other] = [await simulate(scenarioOf(7)), await simulate(scenarioOf(7))];
    expect(one.history).toEqual(other.history);
    expect(one.history.length).toBeGreaterThan(10);
  });
});
