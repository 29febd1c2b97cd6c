import { isParallaxError } from "@parallax/core";
import type { Aggregation } from "@parallax/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Answer, aggregate, canonicalJson, isDecided } from "../../src/executions/aggregation.ts";

/** Answers of agents a0, a1, …: a value, or a value and a confidence. */
function answers(...given: readonly (unknown | { value: unknown; confidence: number })[]): Answer[] {
  return given.map((each, index) => {
    const sure = typeof each === "object" && each !== null && "confidence" in each && "value" in each;
    return {
      agentName: `a${index}`,
      value: sure ? each.value : each,
      confidence: sure && typeof each.confidence === "number" ? each.confidence : undefined,
    };
  });
}

const of = (value: unknown, confidence: number): { value: unknown; confidence: number } => ({
  value,
  confidence,
});

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return isParallaxError(error) ? error.code : String(error);
  }
  return undefined;
}

describe("aggregating", () => {
  it.each<[string, Aggregation, Answer[], unknown]>([
    ["the value of most agents", { strategy: "majority" }, answers("a", "b", "b"), "b"],
    [
      "of as many the one with more confidence",
      { strategy: "majority" },
      answers(of("a", 0.2), of("b", 0.9)),
      "b",
    ],
    ["then the one of the earliest task", { strategy: "majority" }, answers("b", "a"), "b"],
    [
      "objects that differ in the order of their keys as one value",
      { strategy: "majority" },
      answers({ x: 1, y: 2 }, "z", { y: 2, x: 1 }),
      { x: 1, y: 2 },
    ],
    [
      "votes by the weights of agents",
      { strategy: "weighted", weights: { a0: 3 } },
      answers("a", "b", "b"),
      "a",
    ],
    ["votes by confidence", { strategy: "weighted" }, answers(of("a", 0.9), of("b", 0.4), of("b", 0.4)), "a"],
    [
      "an agent without a weight as one",
      { strategy: "weighted", weights: { a0: 1.5 } },
      answers("a", "b", "b"),
      "b",
    ],
    ["what a quorum agrees on", { strategy: "quorum", quorum: 2 }, answers("a", "b", "b"), "b"],
    ["the first answer", { strategy: "first" }, answers("a", "b"), "a"],
    ["all answers in the order of their tasks", { strategy: "all" }, answers("a", null, 3), ["a", null, 3]],
    ["the mean", { strategy: "mean" }, answers(1, 2, 6), 3],
    ["the mean of a field", { strategy: "mean", field: "n" }, answers({ n: 1 }, { n: 2 }), 1.5],
    ["the median of an odd number", { strategy: "median" }, answers(9, 1, 2), 2],
    ["the median of an even number", { strategy: "median", field: "n" }, answers({ n: 4 }, { n: 1 }), 2.5],
    ["the most confident answer", { strategy: "best-confidence" }, answers("a", of("b", 0.1)), "b"],
    [
      "of equally confident answers the earliest",
      { strategy: "best-confidence" },
      answers(of("a", 0.5), of("b", 0.5)),
      "a",
    ],
  ])("takes %s", (_, aggregation, given, expected) => {
    expect(aggregate(given, aggregation)).toEqual(expected);
  });

  it.each<[string, Aggregation, Answer[], string]>([
    ["no answers", { strategy: "all" }, [], "no_answers"],
    ["a quorum that was not reached", { strategy: "quorum", quorum: 3 }, answers("a", "a", "b"), "no_quorum"],
    ["a mean of words", { strategy: "mean" }, answers(1, "two"), "not_a_number"],
    [
      "a median of a field that is not there",
      { strategy: "median", field: "n" },
      answers({}),
      "not_a_number",
    ],
    ["a field of null", { strategy: "mean", field: "n" }, answers(null), "not_a_number"],
    ["a user's function", { strategy: "function", module: "m.js" }, answers(1), "unsupported_strategy"],
  ])("refuses %s", (_, aggregation, given, code) => {
    expect(codeOf(() => aggregate(given, aggregation))).toBe(code);
  });

  it("names the agent whose answer is no number, and the field", () => {
    expect(() => aggregate(answers({ n: 1 }, { n: "x" }), { strategy: "mean", field: "n" })).toThrow(
      "aggregating numbers in n: correct what agent a1 answers",
    );
  });

  it("gives the same result again, so that an adopter may repeat it", () => {
    const strategies: Aggregation[] = [
      { strategy: "majority" },
      { strategy: "weighted", weights: { a0: 2 } },
      { strategy: "all" },
      { strategy: "best-confidence" },
    ];
    const answer = fc.record({
      agentName: fc.constantFrom("a0", "a1", "a2"),
      value: fc.oneof(
        fc.constantFrom("x", "y", 1, null),
        fc.dictionary(fc.constantFrom("k", "l"), fc.nat(2)),
      ),
      confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 9 }), (given) => {
        // What an adopter reads from the store has been JSON in between.
        const stored: Answer[] = given.map((each) => ({
          ...each,
          value: JSON.parse(JSON.stringify(each.value)),
        }));
        for (const strategy of strategies)
          expect(canonicalJson(aggregate(stored, strategy))).toBe(canonicalJson(aggregate(given, strategy)));
      }),
    );
  });

  it("always picks what a majority agrees on", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 15 }), (values) => {
        const votesFor = (value: string): number => values.filter((each) => each === value).length;
        const winner = String(aggregate(answers(...values), { strategy: "majority" }));
        expect(votesFor(winner)).toBe(Math.max(...values.map(votesFor)));
      }),
    );
  });
});

describe("a decision before all have answered", () => {
  it.each<[string, Aggregation, Answer[], number, boolean]>([
    ["the first answer decides", { strategy: "first" }, answers("a"), 2, true],
    ["nothing is decided without an answer", { strategy: "first" }, [], 2, false],
    ["a quorum decides", { strategy: "quorum", quorum: 2 }, answers("a", "b", "a"), 2, true],
    ["less than a quorum does not", { strategy: "quorum", quorum: 3 }, answers("a", "b", "a"), 1, false],
    ["a quorum out of reach decides", { strategy: "quorum", quorum: 3 }, answers("a", "b"), 1, true],
    ["a majority waits for all", { strategy: "majority" }, answers("a", "a"), 1, false],
  ])("%s", (_, aggregation, given, open, expected) => {
    expect(isDecided(given, aggregation, open)).toBe(expected);
  });
});
