import { env } from "node:process";
import { describe, expect, it } from "vitest";
import { attackScenario, attacks } from "./attacks.ts";
import { explain, tally } from "./explain.ts";
import { simulate } from "./simulate.ts";

const seeds = Number(env.SIM_SEEDS ?? 25);
const firstSeed = Number(env.SIM_SEED ?? 1);

describe("the attacks on the design, as histories", () => {
  for (const attack of attacks) {
    it(
      attack.name,
      async () => {
        const total = new Map<string, number>();
        for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
          const scenario = attackScenario(attack, seed);
          const { violation, counts } = await simulate(scenario);
          if (violation !== undefined) expect.fail(await explain(scenario, attack.name));
          for (const [what, times] of counts) total.set(what, (total.get(what) ?? 0) + times);
        }
        if (env.SIM_SEEDS) console.log(`${attack.name}: ${seeds} histories\n${tally(total)}`);
        if (seeds >= 25)
          expect(
            attack.signs.filter((what) => !total.has(what)),
            "never happened",
          ).toEqual([]);
      },
      600_000 + seeds * 2000,
    );
  }
});
