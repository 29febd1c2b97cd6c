import { noopLogger } from "@parallax/core";
import { beforeEach, describe, expect, it } from "vitest";
import type { ExecutionEvent } from "../../src/executions/advance.ts";
import { createAggregator } from "../../src/executions/aggregator.ts";
import type { FunctionOutcome } from "../../src/executions/function-runner.ts";
import { definitionOf, recordOf } from "../support/records.ts";

/** X7, X9: what a node does with the user's function of an execution. */
describe("aggregating with a user's function", () => {
  let outcome: () => Promise<FunctionOutcome>;
  let timesMs: number[];
  beforeEach(() => {
    outcome = async () => ({ outcome: "returned", result: "made" });
    timesMs = [];
  });

  function run(timeout?: string, functionHash = "f"): Promise<ExecutionEvent | undefined> {
    const aggregator = createAggregator({
      runner: {
        run(_, __, timeoutMs) {
          timesMs.push(timeoutMs);
          return outcome();
        },
        close: async () => {},
      },
      find: (hash) => (hash === "f" ? { hash, source: "" } : undefined),
      logger: noopLogger,
    });
    const aggregate = {
      strategy: "function",
      module: "merge.js",
      ...(timeout === undefined ? {} : { timeout }),
    } as const;
    const record = recordOf("exec_1", { definition: definitionOf({ aggregate }), functionHash });
    return aggregator.run({ record, results: new Map() });
  }

  it("makes what it returns the result", async () => {
    expect(await run()).toEqual({ kind: "aggregated", result: "made" });
  });

  it("is given a second, or as long as its pattern says, and never more than 30 s", async () => {
    for (const timeout of [undefined, "3s", "1h"]) await run(timeout);
    expect(timesMs).toEqual([1000, 3000, 30_000]);
  });

  it("is left to another node where this one does not have it", async () => {
    expect(await run("1s", "of another node")).toBeUndefined();
    expect(timesMs).toEqual([]);
  });

  it.each([
    [
      "fails",
      async () => ({ outcome: "failed", code: "function_timeout", message: "it took long" }) as const,
    ],
    ["can't be run", () => Promise.reject(new Error("no thread"))],
  ])("ends the execution when it %s, naming the module", async (_, ended) => {
    outcome = ended;
    expect(await run()).toMatchObject({
      kind: "aggregation-failed",
      error: { code: expect.stringMatching(/^function_/), message: expect.stringContaining("merge.js") },
    });
  });
});
