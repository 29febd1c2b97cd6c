import { env } from "node:process";
import { describe, expect, it } from "vitest";
import { attackScenario, type attacks } from "./attacks.ts";
import { explain, tally } from "./explain.ts";
import { simulate } from "./simulate.ts";

const seeds = Number(env.SIM_SEEDS ?? 40);
const firstSeed = Number(env.SIM_SEED ?? 1);

/** What must have happened, or the attack missed. */
const signs: Record<keyof typeof attacks, readonly string[]> = {
  "B1: store and candidate share a host whose clock steps": [
    "store clock step",
    "acquire expired: granted",
    "acquire waited: granted",
  ],
  "B2: store and leader restart together while a fresh node looks": [
    "renew: renewed over a loss",
    "acquire waited: granted",
    "loss marked",
  ],
  "B4: a leader wakes up behind a fence, and one is elected below it": [
    "write refused",
    "token falls where L1 says so",
    "reissued above a fence",
  ],
  "B8: a holder that cannot be reached is deposed, and a valid one finds the store rewound": [
    "overlap after depose",
    "renew: renewed over a loss",
    "ended: deposed",
  ],
};

describe("the attacks on the design, as histories", () => {
  it.each(Object.entries(signs) as [keyof typeof attacks, readonly string[]][])(
    "%s",
    async (attack, expected) => {
      const total = new Map<string, number>();
      for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
        const scenario = attackScenario(attack, seed);
        const { violation, counts } = await simulate(scenario);
        if (violation !== undefined) expect.fail(await explain(scenario, `attack ${attack}`));
        for (const [what, times] of counts) total.set(what, (total.get(what) ?? 0) + times);
      }
      if (env.SIM_SEEDS) console.log(`${attack}, ${seeds} histories\n${tally(total)}`);
      if (seeds >= 40)
        expect(
          expected.filter((what) => !total.has(what)),
          "never happened",
        ).toEqual([]);
    },
    600_000 + seeds * 2000,
  );
});
