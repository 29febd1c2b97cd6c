import { describe, expect, it } from "vitest";
import {
  beginContinuity,
  type Continuity,
  type ContinuityEffect,
  type ContinuityInput,
  continueWith,
} from "../src/continuity.ts";
import type { LogBatch, LogEntry, LogPage, LogPosition } from "../src/store.ts";
import { createLogModel } from "./log-model.ts";

function run(
  from: Continuity,
  ...inputs: readonly ContinuityInput[]
): { state: Continuity; effects: ContinuityEffect[] } {
  const effects: ContinuityEffect[] = [];
  let state = from;
  for (const input of inputs) {
    const step = continueWith(state, input);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const heard = (batch: LogBatch): ContinuityInput => ({ type: "batch", batch });
const page = (read: LogPage): ContinuityInput => ({ type: "page", page: read });
const told = (effects: readonly ContinuityEffect[]): unknown[] =>
  effects.map((effect) => {
    if (effect.type === "deliver") return effect.entry.sequence;
    if (effect.type === "gap") return `${effect.reason} ${effect.from}-${effect.to ?? ""}`;
    return effect.type;
  });
const live = (known: LogPosition): Continuity => ({ phase: "live", known, left: [] });
const entriesOf = (batch: LogBatch, from: number, to?: number): LogBatch => ({
  ...batch,
  entries: batch.entries.slice(from, to),
});

describe("a live subscription", () => {
  it("delivers the next sequence with the right predecessor", () => {
    const log = createLogModel();
    const start = live(log.top());
    expect(told(run(start, heard(log.append(2)), heard(log.append(1))).effects)).toEqual([1, 2, 3]);
  });

  it("drops what it knows already", () => {
    const log = createLogModel();
    const start = live(log.top());
    const [first, second] = [log.append(2), log.append(2)];
    expect(told(run(start, heard(first), heard(first), heard(second), heard(first)).effects)).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it("delivers the new part of a batch that it knows in part", () => {
    const log = createLogModel();
    const start = live(log.top());
    const batch = log.append(3);
    expect(told(run(start, heard(entriesOf(batch, 0, 2)), heard(batch)).effects)).toEqual([1, 2, 3]);
  });

  it("back-fills a hole from the log and goes on live", () => {
    const log = createLogModel();
    const start = live(log.top());
    log.append(2);
    const late = log.append(1);
    const hole = run(start, heard(late));
    expect(told(hole.effects)).toEqual(["backfill"]);
    const filled = run(hole.state, page(log.read(start.known, 10)), heard(log.append(1)));
    expect(told(filled.effects)).toEqual([1, 2, 3, 4]);
  });

  it("E4: does not take the next number of another history for the next event", () => {
    const log = createLogModel();
    const start = live(log.top());
    const before = run(start, heard(log.append(5)));
    log.rewind(3);
    log.append(3);
    const next = log.append(1);
    const after = run(before.state, heard(next));
    expect(told(after.effects)).toEqual(["backfill"]);
    expect(told(run(after.state, page(log.read(before.state.known, 10))).effects)).toEqual([
      "rewound 1-5",
      6,
    ]);
  });

  it("E4: sees another entry under the number that it delivered last", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)));
    log.rewind(1);
    const again = log.append(1);
    expect(told(run(before.state, heard(again)).effects)).toEqual(["backfill"]);
  });

  it("E4: does not take what names its predecessor for the next event, if its number is another", () => {
    const log = createLogModel();
    const start = live(log.top());
    const [entry] = log.append(1).entries;
    if (!entry) throw new Error("nothing was appended");
    const forged = { topic: "x", partition: 0, epoch: log.epoch(), entries: [{ ...entry, sequence: 7 }] };
    expect(told(run(start, heard(forged)).effects)).toEqual(["backfill"]);
  });

  it("asks the log when it hears another epoch", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)));
    log.flush();
    const asked = run(before.state, heard(log.append(2)));
    expect(told(asked.effects)).toEqual(["backfill"]);
    expect(told(run(asked.state, page(log.read(before.state.known, 10))).effects)).toEqual([
      "epoch 6-",
      1,
      2,
    ]);
  });

  it("does not take the first event of another epoch for the first of its own", () => {
    const log = createLogModel();
    const start = live(log.top());
    log.flush();
    expect(told(run(start, heard(log.append(1))).effects)).toEqual(["backfill"]);
  });

  it("reads the log after the channel has come up again", () => {
    const log = createLogModel();
    expect(told(run(live(log.top()), { type: "connected" }).effects)).toEqual(["backfill"]);
  });

  it("ignores a page that it did not ask for", () => {
    const log = createLogModel();
    const start = live(log.top());
    log.append(3);
    expect(run(start, page(log.read(start.known, 10)))).toEqual({ state: start, effects: [] });
  });
});

describe("reading the log", () => {
  it("delivers first what was read, then what was heard meanwhile", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    log.append(2);
    const read = log.read(start.known, 10);
    expect(told(run(start, heard(log.append(1)), page(read), heard(log.append(1))).effects)).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it("reads on until a page has reached the top", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    log.append(3);
    const first = run(start, page(log.read(start.known, 2)));
    expect(told(first.effects)).toEqual([1, 2, "backfill"]);
    expect(told(run(first.state, page(log.read(first.state.known, 2))).effects)).toEqual([3]);
  });

  it("reads once more when the channel came up while a page was on its way", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    const early = log.read(start.known, 10);
    log.append(1);
    const step = run(start, { type: "connected" }, page(early));
    expect(told(step.effects)).toEqual(["backfill"]);
    expect(told(run(step.state, page(log.read(start.known, 10))).effects)).toEqual([1]);
  });

  it("begins with the oldest entry, without a gap, when it is to start there", () => {
    const log = createLogModel();
    log.append(5);
    log.trim(2);
    expect(told(run(beginContinuity("start"), page(log.read("start", 10))).effects)).toEqual([3, 4, 5]);
  });

  it("begins at the top when nothing is left to start with", () => {
    const log = createLogModel();
    log.append(5);
    log.trim(5);
    expect(run(beginContinuity("start"), page(log.read("start", 10)))).toEqual({
      state: live(log.top()),
      effects: [],
    });
  });

  it("reports what was trimmed before it could be read", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    log.append(5);
    log.trim(3);
    expect(told(run(start, page(log.read(start.known, 10))).effects)).toEqual(["trimmed 1-3", 4, 5]);
  });

  it("reports what was trimmed when nothing is left", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    log.append(5);
    log.trim(5);
    const step = run(start, page(log.read(start.known, 10)));
    expect(told(step.effects)).toEqual(["trimmed 1-5"]);
    expect(step.state).toEqual(live(log.top()));
  });

  it("reports a hole inside the log", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    const { top, entries } = { ...log.append(4), ...log.read(start.known, 10) };
    const without2 = entries.filter((entry: LogEntry) => entry.sequence !== 2);
    expect(told(run(start, page({ top, entries: without2 })).effects)).toEqual([1, "trimmed 2-2", 3, 4]);
  });

  it("reports a log that was taken back and not written since", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)), { type: "connected" });
    log.rewind(2);
    const step = run(before.state, page(log.read(before.state.known, 10)));
    expect(told(step.effects)).toEqual(["rewound 1-3"]);
    expect(step.state).toEqual(live(log.top()));
  });

  it("E4: reports a log that was taken back and has grown to the same length", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)), { type: "connected" });
    log.rewind(2);
    log.append(2);
    expect(told(run(before.state, page(log.read(before.state.known, 10))).effects)).toEqual(["rewound 1-5"]);
  });

  it("reports the end of an epoch and what the next one has trimmed already", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)), { type: "connected" });
    log.flush();
    log.append(4);
    log.trim(2);
    expect(told(run(before.state, page(log.read(before.state.known, 10))).effects)).toEqual([
      "epoch 6-",
      "trimmed 1-2",
      3,
      4,
    ]);
  });

  it("forgets what it hears past a bound, and reads the log once more instead", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    const read = log.read(start.known, 10);
    const flood = Array.from({ length: 2000 }, () => heard(log.append(1)));
    const step = run(start, ...flood);
    if (step.state.phase !== "reading") throw new Error("expected to be reading");
    expect(step.state.heard.length).toBeLessThanOrEqual(1024);
    expect(told(run(step.state, page(read)).effects)).toEqual(["backfill"]);
  });
});

it.each([1025, 2050])(
  "reads the log once more although what it forgot is the last that it heard (%i)",
  (count) => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    const read = log.read(start.known, 10);
    const flood = Array.from({ length: count }, () => heard(log.append(1)));
    const step = run(start, ...flood);
    expect(step.state).toMatchObject({ phase: "reading", heard: [] });
    expect(told(run(step.state, page(read)).effects)).toEqual(["backfill"]);
  },
);

describe("E2: the check against the log's top", () => {
  it("finds nothing wrong with a subscription that is at the top or on its way there", () => {
    const log = createLogModel();
    const start = live(log.top());
    expect(told(run(start, { type: "position", top: log.top() }).effects)).toEqual([]);
    const batch = log.append(1);
    const top = log.top();
    const steps = run(start, { type: "position", top }, heard(batch), { type: "overdue", top });
    expect(told(steps.effects)).toEqual([1]);
  });

  it("takes the channel for dead when what was published long enough ago did not arrive", () => {
    const log = createLogModel();
    const start = live(log.top());
    log.append(1);
    expect(told(run(start, { type: "overdue", top: log.top() }).effects)).toEqual(["recycle", "backfill"]);
  });

  it("does not take the channel for dead while a page is on its way", () => {
    const log = createLogModel();
    const start = beginContinuity(log.top());
    log.append(1);
    expect(told(run(start, { type: "overdue", top: log.top() }).effects)).toEqual([]);
  });

  it.each<[string, (log: ReturnType<typeof createLogModel>) => void]>([
    ["is shorter than what was delivered", (log) => log.rewind(2)],
    [
      "has another last entry",
      (log) => {
        log.rewind(2);
        log.append(2);
      },
    ],
    ["has another epoch", (log) => log.flush()],
  ])("asks the log when it %s", (_, change) => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(5)));
    change(log);
    expect(told(run(before.state, { type: "position", top: log.top() }).effects)).toEqual(["backfill"]);
  });
});

describe("a log that was away for a moment", () => {
  it("goes on where it was left, and nothing of it is delivered twice", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(3)));
    log.usurp();
    const usurped = run(before.state, heard(log.append(2)));
    const away = run(usurped.state, page(log.read({ epoch: "e0", sequence: 3, tag: "t3" }, 10)));
    expect(told(away.effects)).toEqual(["epoch 4-", 1, 2]);
    log.restore();
    const back = run(away.state, heard(log.append(2)));
    expect(told(back.effects)).toEqual(["backfill"]);
    const again = run(back.state, page(log.read({ epoch: "e1", sequence: 2, tag: "t5" }, 10)));
    expect(told(again.effects)).toEqual(["epoch 3-", 4, 5]);
    expect(again.state).toEqual({ phase: "live", known: log.top(), left: [expect.anything()] });
  });

  it("is looked at as closely as ever: what was taken back meanwhile is reported", () => {
    const log = createLogModel();
    const before = run(live(log.top()), heard(log.append(3)));
    log.usurp();
    const away = run(before.state, { type: "connected" }, page(log.read("start", 10)));
    log.restore();
    log.rewind(1);
    const back = run(away.state, { type: "connected" }, page(log.read("start", 10)));
    expect(told(back.effects)).toEqual(["backfill", "epoch 1-", "rewound 1-2"]);
  });
});
