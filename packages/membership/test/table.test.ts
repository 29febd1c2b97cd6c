import { describe, expect, it } from "vitest";
import { emptyReport } from "../src/options.ts";
import { sweep } from "../src/sweep.ts";
import {
  beat,
  type Draft,
  declareEnded,
  end,
  endedRetentionMs,
  historyOf,
  join,
  maxEnded,
  maxTransitions,
  openTable,
  transition,
} from "../src/table.ts";

const report = emptyReport;

function moment(nowMs: number, lineage = "lineage"): Parameters<typeof openTable>[1] {
  return { nowMs, lineage, epochCandidate: `epoch-${lineage}` };
}

function table(nowMs = 0): Draft {
  return openTable(undefined, moment(nowMs));
}

function joinAs(draft: Draft, nodeId: string, incarnation: string, nowMs = 0): ReturnType<typeof join> {
  return join(draft, { nodeId, incarnation, address: "a:1", zone: undefined, report }, moment(nowMs));
}

describe("the table", () => {
  it("is not changed by what is done to a draft of it", () => {
    const before = table();
    joinAs(before, "a", "1");
    const copy = structuredClone(before);
    const draft = openTable(before, moment(10));
    joinAs(draft, "a", "2");
    expect(before).toEqual(copy);
    expect(draft.rows.get("a")?.incarnation).toBe("2");
  });

  it("keeps rows and ends over a change of lineage, but not versions", () => {
    const before = table();
    joinAs(before, "a", "1");
    joinAs(before, "a", "2");
    const after = openTable(before, moment(10, "other"));
    expect([after.epoch, after.version, after.log]).toEqual(["epoch-other", 0, []]);
    expect(after.rows.get("a")?.incarnation).toBe("2");
    expect(after.ended.has("1")).toBe(true);
  });

  it("remembers ended incarnations for their time, and never more than a number", () => {
    const draft = table();
    const ending = { reason: "removed", by: undefined } as const;
    for (let index = 0; index < maxEnded + 5; index += 1)
      end(draft, `inc-${index}`, { ...ending, atMs: index });
    expect(draft.ended.size).toBe(maxEnded);
    expect(draft.ended.has("inc-4")).toBe(false);
    expect(draft.ended.has("inc-5")).toBe(true);
    end(draft, "late", { ...ending, atMs: endedRetentionMs + maxEnded });
    expect(draft.ended.has(`inc-${maxEnded}`)).toBe(false);
    expect(draft.ended.has(`inc-${maxEnded + 1}`)).toBe(true);
  });

  it("keeps a bounded log", () => {
    const draft = table();
    joinAs(draft, "a", "1");
    const row = draft.rows.get("a");
    for (let index = 0; row && index < maxTransitions + 10; index += 1)
      transition(draft, "suspected", row, row);
    expect(draft.log.length).toBe(maxTransitions);
    expect(draft.log.at(-1)?.version).toBe(draft.version);
  });

  it("gives a history only where it has all of it (M4)", () => {
    const draft = table();
    joinAs(draft, "a", "1");
    const row = draft.rows.get("a");
    for (let index = 0; row && index < maxTransitions + 10; index += 1)
      transition(draft, "suspected", row, row);
    const { epoch, version } = draft;
    expect(historyOf(draft, { epoch, version: version - 2 })?.map((event) => event.version)).toEqual([
      version - 1,
      version,
    ]);
    expect(historyOf(draft, { epoch, version: version - maxTransitions })).toHaveLength(maxTransitions);
    expect(historyOf(draft, { epoch, version: version - maxTransitions - 1 })).toBeUndefined();
    expect(historyOf(draft, { epoch, version: version + 1 })).toBeUndefined();
    expect(historyOf(draft, { epoch: "another", version })).toBeUndefined();
  });

  it("spares a majority again that has beaten since (M2)", () => {
    const draft = table();
    const limits = { checkIntervalMs: 1000, unhealthyThreshold: 3, removeAfterMs: 60_000 };
    const believed = { notBeforeMs: 0, notAfterMs: 1_000_000 };
    const sweepUntil = (fromMs: number, toMs: number): string[] => {
      draft.events.length = 0;
      for (let nowMs = fromMs; nowMs <= toMs; nowMs += 500)
        sweep(draft, { ...limits, believed }, moment(nowMs));
      return draft.events.map(({ type, member }) => `${member} ${type}`);
    };
    for (const id of ["a", "b", "c"]) joinAs(draft, id, id);
    const suspected = ["a suspected", "b suspected", "c suspected"];
    expect(sweepUntil(500, 4000)).toEqual(suspected);
    for (const id of ["a", "b", "c"]) {
      const known = { epoch: draft.epoch, version: draft.version };
      beat(draft, { nodeId: id, incarnation: id, report, known, memberEpoch: draft.epoch }, moment(4000));
    }
    expect(sweepUntil(4500, 8500)).toEqual(suspected);
    expect(sweepUntil(9000, 11_000)).toEqual(["a failed", "b failed", "c failed"]);
  });

  it("holds an incarnation for ended that was a member of this epoch and is none, also past its time on record (M6)", () => {
    const draft = table();
    joinAs(draft, "a", "1");
    draft.rows.delete("a");
    const request = { nodeId: "a", incarnation: "1", report, known: undefined };
    expect(beat(draft, { ...request, memberEpoch: draft.epoch }, moment(1))).toEqual({
      outcome: "ended",
      reason: "removed",
      by: undefined,
    });
    expect(beat(draft, { ...request, memberEpoch: "an earlier one" }, moment(1))).toEqual({
      outcome: "rejoin",
    });
    expect(beat(draft, { ...request, memberEpoch: undefined }, moment(1))).toEqual({ outcome: "rejoin" });
  });

  it("declares the incarnation of a failed member ended, which it is", () => {
    const draft = table();
    joinAs(draft, "a", "1");
    expect(declareEnded(draft, "1", moment(1))).toBe(false);
    const row = draft.rows.get("a");
    if (row) draft.rows.set("a", { ...row, status: "failed" });
    expect(declareEnded(draft, "1", moment(1))).toBe(true);
  });
});
