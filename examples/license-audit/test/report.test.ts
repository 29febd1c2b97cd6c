import { describe, expect, it } from "vitest";
import type { Classification } from "../src/classification.ts";
import { type CaseOutcome, createReport, type ReportInput } from "../src/report.ts";
import { renderReport } from "../src/report-text.ts";

const answer = (result: string): Classification => ({ result, confidence: 0.9 });

/** A text whose packages declare `truth`, with the answers of two agents and the vote. */
function outcome(name: string, truth: string, one: string, two: string, vote?: string): CaseOutcome {
  return {
    id: `hash-of-${name}`,
    truth,
    packages: [`${name}@1.0.0`],
    answers: { one: answer(one), two: answer(two) },
    vote,
  };
}

const input: ReportInput = {
  agents: ["one", "two"],
  outcomes: [
    outcome("a", "MIT", "MIT", "MIT", "MIT"),
    outcome("b", "MIT", "MIT", "ISC", "MIT"),
    outcome("c", "ISC", "ISC", "ISC", "ISC"),
    outcome("d", "0BSD", "ISC", "ISC", "ISC"),
    outcome("e", "MIT", "MIT", "MIT"),
  ],
  skipped: [
    { package: "z@1.0.0", reason: "no licence text", detail: "" },
    { package: "x@1.0.0", reason: "unlicensed", detail: "UNLICENSED" },
    { package: "y@1.0.0", reason: "no licence text", detail: "" },
  ],
  conflicts: 0,
  elapsedMs: 2000,
};

describe("createReport", () => {
  const report = createReport(input);

  it("scores each agent, the vote and the baseline against the declarations", () => {
    expect(report.agents).toEqual([
      { name: "one", correct: 4, accuracy: 0.8 },
      { name: "two", correct: 3, accuracy: 0.6 },
    ]);
    expect(report.vote).toEqual({ correct: 3, accuracy: 0.6 });
    expect(report.baseline).toEqual({ license: "MIT", correct: 3, accuracy: 0.6 });
  });

  it("counts an execution without a result against the vote", () => {
    const completed = createReport({
      ...input,
      outcomes: input.outcomes.map((one) => ({ ...one, vote: one.vote ?? one.truth })),
    });
    expect(completed.vote.correct).toBe(report.vote.correct + 1);
  });

  it("says that the vote beats the baseline only when it does", () => {
    expect(report.voteBeatsBaseline).toBe(false);
    const better = input.outcomes.map((one) => ({ ...one, vote: one.truth }));
    expect(createReport({ ...input, outcomes: better }).voteBeatsBaseline).toBe(true);
  });

  it("gives the recall of each licence, the most frequent first", () => {
    expect(report.recall).toEqual([
      { license: "MIT", texts: 3, agents: { one: 1, two: 2 / 3 }, vote: 2 / 3 },
      { license: "0BSD", texts: 1, agents: { one: 0, two: 0 }, vote: 0 },
      { license: "ISC", texts: 1, agents: { one: 1, two: 1 }, vote: 1 },
    ]);
  });

  it("lists what agents differ on, what all got wrong and what has no result", () => {
    expect(report.disagreements.map(({ packages }) => packages[0])).toEqual([
      "d@1.0.0",
      "b@1.0.0",
      "e@1.0.0",
    ]);
  });

  it("counts an agent that did not answer as wrong and as disagreeing", () => {
    const { agents, disagreements } = createReport({
      ...input,
      outcomes: [{ id: "1", truth: "MIT", packages: ["a@1"], answers: { one: answer("MIT") }, vote: "MIT" }],
    });
    expect(agents.map(({ correct }) => correct)).toEqual([1, 0]);
    expect(disagreements).toHaveLength(1);
  });

  it("groups the skipped packages by reason, the most frequent first", () => {
    expect(report.skipped).toEqual([
      { reason: "no licence text", packages: ["y@1.0.0", "z@1.0.0"] },
      { reason: "unlicensed", packages: ["x@1.0.0"] },
    ]);
  });

  it("gives executions per second", () => {
    expect(report.executionsPerSecond).toBe(2.5);
  });

  it("does not depend on the order in which executions ended", () => {
    expect(createReport({ ...input, outcomes: input.outcomes.toReversed() })).toEqual(report);
  });

  it("does not change what it is given", () => {
    const frozen = Object.freeze([...input.outcomes]);
    expect(() => createReport({ ...input, outcomes: frozen })).not.toThrow();
  });

  it("of nothing has no accuracy and beats nothing", () => {
    const empty = createReport({ ...input, outcomes: [], elapsedMs: 0 });
    expect(empty).toMatchObject({ vote: { accuracy: 0 }, voteBeatsBaseline: false, executionsPerSecond: 0 });
  });
});

describe("renderReport", () => {
  it("shows the accuracies, the recall, the disagreements and the verdict", () => {
    expect(
      renderReport(createReport(input)),
    ).toBe(`Licence audit: 5 unique texts of 5 packages, 2 agents, majority vote

Who         Correct  Accuracy
----------  -------  --------
one             4/5    80.0 %
two             3/5    60.0 %
the vote        3/5    60.0 %
always MIT      3/5    60.0 %

Recall  Texts  one      two      the vote
------  -----  -------  -------  --------
MIT         3  100.0 %   66.7 %    66.7 %
0BSD        1    0.0 %    0.0 %     0.0 %
ISC         1  100.0 %  100.0 %   100.0 %

Declared  one  two  the vote     Packages
--------  ---  ---  -----------  --------
0BSD      ISC  ISC  ISC          d@1.0.0
MIT       MIT  ISC  MIT          b@1.0.0
MIT       MIT  MIT  (no result)  e@1.0.0

3 packages were left out: 2 no licence text, 1 unlicensed.
Without a result: 1 of 5 executions.
5 executions in 2.00 s: 3/s
The vote does NOT beat the baseline (0.0 points).`);
  });

  it("differs between two runs over the same input in the line of times only", () => {
    const [first, second] = [2000, 3000].map((elapsedMs) =>
      renderReport(createReport({ ...input, elapsedMs })).split("\n"),
    );
    const differing = first?.filter((line, index) => line !== second?.[index]);
    expect(differing).toEqual(["5 executions in 2.00 s: 3/s"]);
  });

  it("cuts a long table of disagreements and says so", () => {
    const outcomes = Array.from({ length: 30 }, (_, index) =>
      outcome(`p${index}`, "MIT", "ISC", "0BSD", "ISC"),
    );
    const text = renderReport(createReport({ ...input, outcomes }));
    expect(text).toContain("and 10 more disagreements, all of them in the JSON report");
  });
});
