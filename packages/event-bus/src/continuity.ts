/**
 * The pure core of a subscription to one partition: which of the entries that are heard or read come next, and what has to
 * be reported as lost. No timers, no I/O.
 */
import type { Gap } from "./event-bus.ts";
import type { LogBatch, LogEntry, LogPage, LogPosition } from "./store.ts";

/**
 * `reading`: a page of the log is on its way; what is heard meanwhile waits. `live`: what is heard is delivered at once.
 * `known` is the place up to which everything was delivered or reported; `start` before the oldest entry is known.
 */
export type Continuity = {
  /** Where other epochs were left, newest first: a server that came back empty, and is put aside, was one for a moment. */
  readonly left: readonly LogPosition[];
} & (
  | {
      readonly phase: "reading";
      readonly known: LogPosition | "start";
      /** Heard since the page was asked for: the page cannot be relied on to have it. */
      readonly heard: readonly LogBatch[];
      /** The page was asked for too early to be relied on; another has to follow. */
      readonly again: boolean;
    }
  | { readonly phase: "live"; readonly known: LogPosition }
);

/** What happens to a subscription. */
export type ContinuityInput =
  /** Something was published. */
  | { readonly type: "batch"; readonly batch: LogBatch }
  /** The page arrived that a `backfill` asked for. */
  | { readonly type: "page"; readonly page: LogPage }
  /** The channel has come up: what was published before may have been missed. */
  | { readonly type: "connected" }
  /** The log's top was read (E2). */
  | { readonly type: "position"; readonly top: LogPosition }
  /** `top` was read so long ago that all up to it must have been heard by now (E2). */
  | { readonly type: "overdue"; readonly top: LogPosition };

/** What has to be done, in this order. */
export type ContinuityEffect =
  | { readonly type: "deliver"; readonly epoch: string; readonly entry: LogEntry }
  | {
      readonly type: "gap";
      readonly from: number;
      readonly to: number | undefined;
      readonly reason: Exclude<Gap["reason"], "overflow">;
      /** The place after the gap. */
      readonly known: LogPosition;
    }
  /** Read the page after `after` and hand it in. */
  | { readonly type: "backfill"; readonly after: LogPosition | "start" }
  /** The channel is dead although it looks open. */
  | { readonly type: "recycle" };

export interface ContinuityStep {
  readonly state: Continuity;
  readonly effects: readonly ContinuityEffect[];
}

/** How many batches may wait for a page. When there are more they are forgotten, and the log is read once more. */
const maxHeard = 1024;

/** How many epochs are remembered that were left. */
const maxLeft = 64;

/** Begins at `known`. The first page is on its way: the caller reads it, or makes one up if it has just read the top. */
export function beginContinuity(known: LogPosition | "start", left: readonly LogPosition[] = []): Continuity {
  return { phase: "reading", known, left, heard: [], again: false };
}

/** One step of the subscription. */
export function continueWith(state: Continuity, input: ContinuityInput): ContinuityStep {
  switch (input.type) {
    case "batch":
      return state.phase === "live" ? hear(state.known, state.left, input.batch) : keep(state, input.batch);
    case "page":
      return state.phase === "live" ? { state, effects: [] } : turnPage(state, input.page);
    case "connected":
      return state.phase === "live"
        ? backfill(state.known, state.left, [])
        : { state: { ...state, again: true }, effects: [] };
    case "position":
      return state.phase === "live" && contradicts(state.known, input.top)
        ? backfill(state.known, state.left, [])
        : { state, effects: [] };
    case "overdue":
      return state.phase === "live" && !hasReached(state.known, input.top)
        ? backfill(state.known, state.left, [{ type: "recycle" }])
        : { state, effects: [] };
  }
}

/** Whether everything up to `top` was delivered or reported. A top of another epoch is another log's and proves nothing. */
export function hasReached(known: LogPosition | "start", top: LogPosition): boolean {
  if (known === "start") return false;
  return known.epoch !== top.epoch || known.sequence >= top.sequence;
}

/** Whether the log cannot be the one that `known` was delivered from, or not as it was then. */
function contradicts(known: LogPosition, top: LogPosition): boolean {
  if (known.epoch !== top.epoch || known.sequence > top.sequence) return true;
  return known.sequence === top.sequence && known.tag !== top.tag;
}

/** What was heard before a page is asked for is in the log by then: nothing has to be kept. */
function backfill(
  known: LogPosition | "start",
  left: readonly LogPosition[],
  before: readonly ContinuityEffect[],
): ContinuityStep {
  return { state: beginContinuity(known, left), effects: [...before, { type: "backfill", after: known }] };
}

function keep(state: Extract<Continuity, { phase: "reading" }>, batch: LogBatch): ContinuityStep {
  const full = state.heard.length >= maxHeard;
  const heard = full ? [] : [...state.heard, batch];
  return { state: { ...state, heard, again: state.again || full }, effects: [] };
}

function hear(since: LogPosition, left: readonly LogPosition[], batch: LogBatch): ContinuityStep {
  const effects: ContinuityEffect[] = [];
  let known = since;
  for (const entry of batch.entries) {
    if (batch.epoch === known.epoch && isDuplicate(known, entry)) continue;
    // E4: the next number alone proves nothing, as a log that was taken back gives it again.
    const follows =
      batch.epoch === known.epoch && entry.sequence === known.sequence + 1 && entry.previous === known.tag;
    if (!follows) return backfill(known, left, effects);
    known = after(batch.epoch, entry);
    effects.push({ type: "deliver", epoch: batch.epoch, entry });
  }
  return { state: { phase: "live", known, left }, effects };
}

function isDuplicate(known: LogPosition, entry: LogEntry): boolean {
  return entry.sequence < known.sequence || (entry.sequence === known.sequence && entry.tag === known.tag);
}

function turnPage(state: Extract<Continuity, { phase: "reading" }>, page: LogPage): ContinuityStep {
  const { top, entries } = page;
  const effects: ContinuityEffect[] = [];
  let known = place(state, page, effects);
  const left = leave(state, page);
  const beginning = known;

  for (const entry of entries) {
    if (entry.sequence <= known.sequence) continue;
    if (entry.sequence > known.sequence + 1) {
      const beforeEntry = { epoch: top.epoch, sequence: entry.sequence - 1, tag: entry.previous };
      effects.push(gap("trimmed", known.sequence + 1, entry.sequence - 1, beforeEntry));
    } else if (entry.previous !== known.tag) {
      // E4: the right number on another history. What is new in it up to `known` was never delivered.
      const sameNumber = { ...known, tag: entry.previous };
      effects.push(gap("rewound", 1, known.sequence, sameNumber));
    }
    known = after(top.epoch, entry);
    effects.push({ type: "deliver", epoch: top.epoch, entry });
  }

  const isSilent = known === beginning;
  if (isSilent && contradicts(known, top)) {
    effects.push(gap("rewound", 1, top.sequence, top));
    known = top;
  } else if (entries.length === 0 && known.sequence < top.sequence) {
    effects.push(gap("trimmed", known.sequence + 1, top.sequence, top));
    known = top;
  }
  // What was heard before the log was taken back may tell of what is gone; the log itself has what counts.
  const takenBack = effects.some((effect) => effect.type === "gap" && effect.reason !== "trimmed");
  if (state.again || (takenBack && state.heard.length > 0) || known.sequence < top.sequence)
    return backfill(known, left, effects);
  return merge(known, left, state.heard, effects);
}

/** The place in the page's epoch from which its entries count. */
function place(
  { known, left }: Continuity,
  { top, entries }: LogPage,
  effects: ContinuityEffect[],
): LogPosition {
  if (known === "start") {
    const oldest = entries[0];
    return oldest ? { epoch: top.epoch, sequence: oldest.sequence - 1, tag: oldest.previous } : top;
  }
  if (known.epoch === top.epoch) return known;
  // An epoch that was left and is back goes on where it was left: the rest of it was delivered already.
  const beginning = { epoch: top.epoch, sequence: 0, tag: "" };
  const resumed = left.find(({ epoch }) => epoch === top.epoch) ?? beginning;
  effects.push(gap("epoch", known.sequence + 1, undefined, resumed));
  return resumed;
}

/** The epochs that were left, once the page's is the one that counts. */
function leave({ known, left }: Continuity, { top }: LogPage): readonly LogPosition[] {
  if (known === "start" || known.epoch === top.epoch) return left;
  return [known, ...left.filter(({ epoch }) => epoch !== top.epoch)].slice(0, maxLeft);
}

/** Goes live with what was heard while the page was on its way. */
function merge(
  known: LogPosition,
  left: readonly LogPosition[],
  heard: readonly LogBatch[],
  effects: readonly ContinuityEffect[],
): ContinuityStep {
  let step: ContinuityStep = { state: { phase: "live", known, left }, effects };
  for (const batch of heard) {
    // A page that has to be asked for anew will have the rest.
    if (step.state.phase === "reading") break;
    const next = hear(step.state.known, left, batch);
    step = { state: next.state, effects: [...step.effects, ...next.effects] };
  }
  return step;
}

function after(epoch: string, entry: LogEntry): LogPosition {
  return { epoch, sequence: entry.sequence, tag: entry.tag };
}

function gap(
  reason: Exclude<Gap["reason"], "overflow">,
  from: number,
  to: number | undefined,
  known: LogPosition,
): ContinuityEffect {
  return { type: "gap", from, to, reason, known };
}
