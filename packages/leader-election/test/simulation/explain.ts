import type { Scenario } from "./scenario.ts";
import { shrink } from "./shrink.ts";

/** A shortest history of a scenario that breaks, for people. */
export async function explain(broken: Scenario, what: string): Promise<string> {
  const { scenario, result } = await shrink(broken);
  const rates = scenario.rates.map((rate) => rate.toFixed(2)).join(", ");
  return [
    `${what}, seed ${scenario.seed}: ${result.violation}`,
    `replay: pnpm --filter @parallax/leader-election sim --seed ${scenario.seed}`,
    `lease ${scenario.durations.leaseDurationMs} ms, clock rates ${rates}, store ${scenario.storeRate.toFixed(2)}`,
    ...result.history.slice(-60),
  ].join("\n");
}

/** How often each thing happened. */
export function tally(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([what, times]) => `${String(times).padStart(10)}  ${what}`)
    .join("\n");
}
