import type { Clock } from "@parallax/core";
import type { JournalChange } from "./journal.ts";

/**
 * The ends of executions, kept for a while: a fail-over may take one back that somebody has seen already, and its owner
 * writes it again (X6).
 */
export interface Remembered {
  add(change: JournalChange): void;
  get(id: string): JournalChange | undefined;
  readonly ids: readonly string[];
  clear(): void;
}

/** A fail-over that loses more than this has lost more than its own time. */
const keptMs = 60_000;
/** S7: about as many bytes of inputs and results are kept, the newest of them. */
const maxBytes = 64 * 1024 * 1024;

export function createRemembered(clock: Pick<Clock, "now">): Remembered {
  /** The oldest first. */
  const ends = new Map<
    string,
    { readonly change: JournalChange; readonly untilMs: number; readonly bytes: number }
  >();
  let total = 0;

  function remove(id: string): void {
    total -= ends.get(id)?.bytes ?? 0;
    ends.delete(id);
  }

  function forgetOld(): void {
    const now = clock.now();
    for (const [id, { untilMs }] of ends) {
      if (untilMs > now && total <= maxBytes) return;
      remove(id);
    }
  }

  return {
    add(change) {
      remove(change.id);
      const bytes = sizeOf(change);
      ends.set(change.id, { change, untilMs: clock.now() + keptMs, bytes });
      total += bytes;
      forgetOld();
    },
    get(id) {
      forgetOld();
      return ends.get(id)?.change;
    },
    get ids() {
      forgetOld();
      return [...ends.keys()];
    },
    clear() {
      ends.clear();
      total = 0;
    },
  };
}

function sizeOf({ before, after, letters }: JournalChange): number {
  return 2000 + roughSize([before.input, after.result, letters]);
}

/** About how many bytes a value takes, texts above all. */
function roughSize(value: unknown): number {
  let bytes = 0;
  const rest: unknown[] = [value];
  for (let next = rest.pop(); rest.length > 0 || next !== undefined; next = rest.pop()) {
    if (typeof next === "string") bytes += next.length;
    else if (typeof next === "object" && next !== null) rest.push(...Object.values(next).filter(isThere));
    bytes += 16;
  }
  return bytes;
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}
