import type { Scenario } from "./scenario.ts";
import { type SimulationResult, simulate } from "./simulate.ts";

/** Leaves out every fault without which the run still breaks. What is left is a shortest history of its kind. */
export async function shrink(scenario: Scenario): Promise<{ scenario: Scenario; result: SimulationResult }> {
  let smallest = scenario;
  let result = await simulate(scenario);
  for (
    let size = Math.ceil(scenario.faults.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < smallest.faults.length; ) {
      const faults = smallest.faults.toSpliced(start, size);
      const candidate = { ...smallest, faults };
      const outcome = await simulate(candidate);
      if (outcome.violation === undefined) start += size;
      else [smallest, result] = [candidate, outcome];
    }
  }
  return { scenario: smallest, result };
}
