import type { Clock, Random } from "@parallax/core";
import type { FunctionRunner } from "../../src/executions/function-runner.ts";
import type { Functions } from "../../src/patterns/functions.ts";

/** The function of a user that the pattern `merged` aggregates with. */
export const moduleName = "merge.js";
const merge = { hash: "merge", source: "" };

/** What a node knows of functions: the one that there is, or none. */
export function functionsOf(hasIt: boolean): Functions {
  return {
    find: (hash) => (hasIt && hash === merge.hash ? merge : undefined),
    hashOf: (module) => (hasIt && module === moduleName ? merge.hash : undefined),
    hashes: hasIt ? [merge.hash] : [],
  };
}

/** What it makes of the answers. */
export function merged(values: readonly unknown[]): string {
  return values.map(String).join(" + ");
}

/** Runs it on the clock of a node, where a worker thread would take its time. It fails as often as `failing` says. */
export function simulatedRunner(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly longestMs: number;
  readonly failing: number;
}): FunctionRunner {
  const { clock, random, longestMs, failing } = options;
  return {
    async run(_, answers) {
      await clock.sleep(random.next() * longestMs);
      if (random.next() < failing) return { outcome: "failed", code: "function_failed", message: "it can't" };
      return { outcome: "returned", result: merged(answers.map(({ value }) => value)) };
    },
    async close() {},
  };
}
