import { errorMessage, type Logger } from "@parallax/core";
import { answersOf, type ExecutionEvent, type ExecutionState } from "./advance.ts";
import { functionTimeoutMs } from "./aggregation.ts";
import type { FunctionRunner, UserFunction } from "./function-runner.ts";

/** Aggregates where that takes a user's function. */
export interface Aggregator {
  /** What came of it; undefined when this node doesn't have the function, so that another one has to do it (X9). */
  run(state: ExecutionState): Promise<ExecutionEvent | undefined>;
}

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
      const { module } = aggregation;
      try {
        const ended = await runner.run(wanted, answersOf(state), functionTimeoutMs(aggregation));
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
