import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { auditDirectly } from "../src/direct.ts";
import type { AuditReport } from "../src/report.ts";

const directory = fileURLToPath(new URL("../../../node_modules", import.meta.url));

describe("over the dependencies of this very workspace", () => {
  let report: AuditReport;

  beforeAll(async () => {
    report = await auditDirectly({ directory });
  });

  it("has real texts to work on, of several licences", () => {
    expect(report.texts).toBeGreaterThan(100);
    expect(report.recall.length).toBeGreaterThan(4);
  });

  it("lets the vote beat the baseline", () => {
    expect(report.voteBeatsBaseline).toBe(true);
    expect(report.vote.accuracy).toBeGreaterThan(0.95);
  });

  it("lets every agent beat the baseline by itself", () => {
    for (const { correct } of report.agents) expect(correct).toBeGreaterThan(report.baseline.correct);
  });

  it("comes to the same report again, but for the times", async () => {
    const again = await auditDirectly({ directory });
    const timeless = { elapsedMs: 0, executionsPerSecond: 0 };
    expect({ ...again, ...timeless }).toEqual({ ...report, ...timeless });
  });
});
