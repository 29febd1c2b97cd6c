import { errorMessage, type Logger, parseDuration } from "@parallax/core";
import { answersOf, type ExecutionEvent, type ExecutionState } from "./advance.ts";
import type { FunctionRunner, UserFunction } from "./function-runner.ts";

/** Aggregates where that takes a user's function. */
export interface Aggregator {
  /** What came of it; undefined when this node doesn't have the function, so that another one has to do it (X9). */
  run(state: ExecutionState): Promise<ExecutionEvent | undefined>;
}

/** Time for a function whose pattern says nothing. */
const defaultTimeoutMs = 1000;
/** More is not granted: the execution's owner waits for it. */
const longestTimeoutMs = 30_000;

export function createAggregator(options: {
  readonly runner: FunctionRunner;
  readonly find: (hash: string) => UserFunction | undefined;
  readonly logger: Logger;
}): Aggregator {
  const { runner, find, logger } = options;

  return {
    async run(state) {
      const { definition, functionHash = "" } = state.record;
      const { aggregate: aggregation } = definition;
      const wanted = find(functionHash);
      if (aggregation.strategy !== "function" || !wanted) return undefined;
      const { module, timeout } = aggregation;
      const timeoutMs = timeout === undefined ? defaultTimeoutMs : parseDuration(timeout);
      try {
        const ended = await runner.run(wanted, answersOf(state), Math.min(timeoutMs, longestTimeoutMs));
        if (ended.outcome === "returned") return { kind: "aggregated", result: ended.result };
        const message = `aggregating with ${module}: ${ended.message}; correct the function`;
        return { kind: "aggregation-failed", error: { code: ended.code, message } };
      } catch (error) {
        logger.error("a function could not be run", { module, error });
        const message = `aggregating with ${module}: ${errorMessage(error)}`;
        return { kind: "aggregation-failed", error: { code: "function_failed", message } };
      }
    },
  };
}
