import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  beginContinuity,
  type Continuity,
  type ContinuityEffect,
  type ContinuityInput,
  continueWith,
} from "../src/continuity.ts";
import type { LogBatch, LogPosition } from "../src/store.ts";
import { createLogModel, type LogModel } from "./log-model.ts";

type Told = Extract<ContinuityEffect, { type: "deliver" } | { type: "gap" }>;

/** One thing that happens to the log, to the channel or to the reader. */
type Happening =
  | { readonly do: "append"; readonly count: number }
  | { readonly do: "hear"; readonly which: number; readonly copies: number }
  | { readonly do: "lose"; readonly which: number }
  | { readonly do: "read" }
  | { readonly do: "answer" }
  | { readonly do: "reconnect" }
  | { readonly do: "check" }
  | { readonly do: "rewind"; readonly count: number }
  | { readonly do: "trim"; readonly count: number }
  | { readonly do: "flush" | "usurp" | "restore" };

const gentle: fc.Arbitrary<Happening>[] = [
  fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("hear" as const), which: fc.nat(5), copies: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ do: fc.constant("lose" as const), which: fc.nat(5) }),
  fc.constant({ do: "read" as const }),
  fc.constant({ do: "answer" as const }),
  fc.constant({ do: "reconnect" as const }),
  fc.constant({ do: "check" as const }),
];
const trim = fc.record({ do: fc.constant("trim" as const), count: fc.integer({ min: 1, max: 6 }) });
const violent: fc.Arbitrary<Happening>[] = [
  ...gentle,
  trim,
  fc.record({ do: fc.constant("rewind" as const), count: fc.integer({ min: 1, max: 6 }) }),
  fc.constantFrom({ do: "flush" as const }, { do: "usurp" as const }, { do: "restore" as const }),
];

interface Run {
  readonly log: LogModel;
  readonly told: readonly Told[];
  readonly startedAt: LogPosition;
  readonly known: LogPosition;
}

/** Plays a history through the core, then lets things calm down: every page is answered, and the top is checked. */
function play(history: readonly Happening[], pageLimit: number): Run {
  const log = createLogModel();
  log.append(3);
  const startedAt = log.top();
  let state: Continuity = beginContinuity(startedAt);
  const told: Told[] = [];
  const channel: LogBatch[] = [];
  // A page is read at one moment and handed in at a later one.
  let wanted: LogPosition | "start" | undefined = startedAt;
  let answer: Extract<ContinuityInput, { type: "page" }> | undefined;

  function take(input: ContinuityInput): void {
    const step = continueWith(state, input);
    state = step.state;
    for (const effect of step.effects) {
      if (effect.type === "backfill") {
        expect(wanted ?? answer, "one page at a time").toBeUndefined();
        wanted = effect.after;
      } else if (effect.type !== "recycle") told.push(effect);
    }
  }
  function read(): void {
    if (wanted === undefined) return;
    answer = { type: "page", page: log.read(wanted, pageLimit) };
    wanted = undefined;
  }
  function hand(): void {
    const input = answer;
    answer = undefined;
    if (input) take(input);
  }

  for (const each of history) {
    switch (each.do) {
      case "append":
        channel.push(log.append(each.count));
        break;
      case "hear": {
        const batch = channel[each.which % Math.max(1, channel.length)];
        if (batch) for (let copy = 0; copy < each.copies; copy += 1) take({ type: "batch", batch });
        break;
      }
      case "lose":
        channel.splice(each.which % Math.max(1, channel.length), 1);
        break;
      case "read":
        read();
        break;
      case "answer":
        hand();
        break;
      case "reconnect":
        take({ type: "connected" });
        break;
      case "check":
        take({ type: "position", top: log.top() });
        break;
      case "rewind":
      case "trim":
        log[each.do](each.count);
        break;
      case "flush":
      case "usurp":
      case "restore":
        log[each.do]();
        break;
    }
  }
  // Each check may find something to read; the second finds nothing any more.
  for (const _ of ["dead channel, rewound log", "all quiet"]) {
    for (let pages = 0; state.phase === "reading" && pages < 500; pages += 1) {
      read();
      hand();
    }
    take({ type: "position", top: log.top() });
    take({ type: "overdue", top: log.top() });
  }
  if (state.phase !== "live") throw new Error("the subscription did not come to rest");
  return { log, told, startedAt, known: state.known };
}

const histories = (happenings: readonly fc.Arbitrary<Happening>[]): fc.Arbitrary<Happening[]> =>
  fc.array(fc.oneof(...happenings), { maxLength: 60 });
const limits = fc.integer({ min: 1, max: 4 });
const runs = { numRuns: 3000 };

describe("E1: whatever happens to channel and log", () => {
  it("never delivers an event twice", () => {
    fc.assert(
      fc.property(histories(violent), limits, (history, limit) => {
        const tags = play(history, limit).told.flatMap((each) =>
          each.type === "deliver" ? each.entry.tag : [],
        );
        expect(new Set(tags).size).toBe(tags.length);
      }),
      runs,
    );
  });

  it("does not deliver again what it had heard before the log was taken back", () => {
    const history: Happening[] = [
      { do: "append", count: 3 },
      { do: "read" },
      { do: "answer" },
      { do: "hear", which: 0, copies: 1 },
      { do: "rewind", count: 2 },
    ];
    const told = play(history, 2).told.map((each) => (each.type === "gap" ? each.reason : each.entry.tag));
    expect(told).toEqual(["t4", "t5", "rewound"]);
  });

  it("delivers consecutive, linked entries, except across a gap", () => {
    fc.assert(
      fc.property(histories(violent), limits, (history, limit) => {
        const { told, startedAt } = play(history, limit);
        let known = startedAt;
        for (const each of told) {
          if (each.type === "gap") known = each.known;
          else {
            const { sequence, previous, tag } = each.entry;
            expect({ epoch: each.epoch, sequence, previous }).toEqual({
              epoch: known.epoch,
              sequence: known.sequence + 1,
              previous: known.tag,
            });
            known = { epoch: each.epoch, sequence, tag };
          }
        }
      }),
      runs,
    );
  });

  it("ends at the top of the log", () => {
    fc.assert(
      fc.property(histories(violent), limits, (history, limit) => {
        const { log, known } = play(history, limit);
        expect(known).toEqual(log.top());
      }),
      runs,
    );
  });

  it("delivers every event of the history that counts, or reports a gap that reaches past it", () => {
    fc.assert(
      fc.property(histories(violent), limits, (history, limit) => {
        const { log, told, startedAt } = play(history, limit);
        const delivered = new Set(told.flatMap((each) => (each.type === "deliver" ? each.entry.tag : [])));
        const reportedTo = Math.max(
          0,
          ...told.flatMap((each) =>
            // Where an epoch begins or goes on, nothing of it is reported as lost.
            each.type === "gap" && each.reason !== "epoch" && each.known.epoch === log.epoch()
              ? each.known.sequence
              : [],
          ),
        );
        const before = startedAt.epoch === log.epoch() ? startedAt.sequence : 0;
        for (const { sequence, tag } of log.history())
          if (sequence > before && !delivered.has(tag)) expect(sequence).toBeLessThanOrEqual(reportedTo);
      }),
      runs,
    );
  });

  it("reports a gap after every event that it delivered and the log took back", () => {
    fc.assert(
      fc.property(histories(violent), limits, (history, limit) => {
        const { log, told } = play(history, limit);
        const kept = new Set(log.history().map(({ tag }) => tag));
        const lastTakenBack = told.findLastIndex(
          (each) => each.type === "deliver" && (each.epoch !== log.epoch() || !kept.has(each.entry.tag)),
        );
        // Of any reason: each makes its reader reload. Where the log was trimmed as well, nothing is left to tell the two apart.
        const lastReport = told.findLastIndex((each) => each.type === "gap");
        expect(lastReport).toBeGreaterThanOrEqual(lastTakenBack);
      }),
      runs,
    );
  });

  it("delivered and gaps are together exactly what was appended, as long as the log is only trimmed", () => {
    fc.assert(
      fc.property(histories([...gentle, trim]), limits, (history, limit) => {
        const { log, told, startedAt } = play(history, limit);
        const covered = told.flatMap((each) => {
          if (each.type === "deliver") return [each.entry.sequence];
          const to = each.to ?? Number.NaN;
          return Array.from({ length: to - each.from + 1 }, (_, index) => each.from + index);
        });
        const appended = log
          .history()
          .flatMap(({ sequence }) => (sequence > startedAt.sequence ? [sequence] : []));
        expect(covered).toEqual(appended);
      }),
      runs,
    );
  });

  it("reports no gap at all when nothing is lost from the log", () => {
    fc.assert(
      fc.property(histories(gentle), limits, (history, limit) => {
        expect(play(history, limit).told.filter(({ type }) => type === "gap")).toEqual([]);
      }),
      runs,
    );
  });
});
