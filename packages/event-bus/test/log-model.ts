import type { LogBatch, LogEntry, LogPage, LogPosition } from "../src/store.ts";

/** A log as a store keeps it, with everything that can happen to one. */
export interface LogModel {
  append(count: number): LogBatch;
  read(after: LogPosition | "start", limit: number): LogPage;
  top(): LogPosition;
  /** Takes back the newest entries, as a fail-over to a stale replica does. */
  rewind(count: number): void;
  /** Loses the oldest entries. */
  trim(count: number): void;
  /** Loses everything; the log begins again. */
  flush(): void;
  /** Another server takes over with an empty log, as one does that came back too early from its death. */
  usurp(): void;
  /** The log that was there before the last {@link usurp} is back, if there is one. */
  restore(): void;
  /** Every entry that the log has, or had and trimmed, in the history that counts in the end. */
  history(): readonly LogEntry[];
  epoch(): string;
}

export function createLogModel(): LogModel {
  let epochs = 0;
  let tags = 0;
  let current = 0;
  let history: LogEntry[] = [];
  let trimmed = 0;
  const aside: { current: number; history: LogEntry[]; trimmed: number }[] = [];
  const epoch = (): string => `e${current}`;
  const top = (): LogPosition => {
    const last = history.at(-1);
    return { epoch: epoch(), sequence: last?.sequence ?? 0, tag: last?.tag ?? "" };
  };
  return {
    append(count) {
      const entries = Array.from({ length: count }, () => {
        const { sequence, tag: previous } = top();
        tags += 1;
        const entry = { sequence: sequence + 1, tag: `t${tags}`, previous, atMs: 0, event: { type: "x" } };
        history.push(entry);
        return entry;
      });
      return { topic: "x", partition: 0, epoch: epoch(), entries };
    },
    read(after, limit) {
      const known = after !== "start" && after.epoch === epoch() ? after.sequence : 0;
      const entries = history.slice(trimmed).filter(({ sequence }) => sequence > known);
      return { top: top(), entries: entries.slice(0, limit) };
    },
    top,
    rewind(count) {
      history = history.slice(0, Math.max(trimmed, history.length - count));
    },
    trim(count) {
      trimmed = Math.min(history.length, trimmed + count);
    },
    flush() {
      epochs += 1;
      current = epochs;
      history = [];
      trimmed = 0;
    },
    usurp() {
      aside.push({ current, history, trimmed });
      this.flush();
    },
    restore() {
      const before = aside.pop();
      if (before) ({ current, history, trimmed } = before);
    },
    history: () => history,
    epoch,
  };
}
