import type { Scenario } from "./scenario.ts";
import { type SimulationResult, simulate } from "./simulate.ts";

/** Leaves out faults, half of them and then fewer at a time, as long as the run still breaks an invariant. */
export async function shrink(
  scenario: Scenario,
): Promise<{ readonly scenario: Scenario; readonly result: SimulationResult }> {
  let smallest = { scenario, result: await simulate(scenario) };
  for (let size = Math.ceil(scenario.faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < smallest.scenario.faults.length; ) {
      const faults = smallest.scenario.faults.filter((_, index) => index < from || index >= from + size);
      const smaller = { ...scenario, faults };
      const result = await simulate(smaller);
      if (result.violation !== undefined) smallest = { scenario: smaller, result };
      else from += size;
    }
  }
  return smallest;
}
