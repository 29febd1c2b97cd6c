import type { Clock } from "@parallax/core";
import type { Patch } from "@parallax/state-store";
import { difference, type JournalChange } from "./journal.ts";
import type { ExecutionRecord } from "./record.ts";

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
/** S7: so many characters are kept, the newest of them. */
const maxCharacters = 64 * 1024 * 1024;

/**
 * Kept as text: there may be tens of thousands, which are hardly ever looked at, and as objects they would be millions, through
 * which every collection of garbage had to go.
 */
export function createRemembered(clock: Pick<Clock, "now">): Remembered {
  /** The oldest first. */
  const ends = new Map<string, { readonly text: string; readonly untilMs: number }>();
  let characters = 0;

  function remove(id: string): void {
    characters -= ends.get(id)?.text.length ?? 0;
    ends.delete(id);
  }

  function forgetOld(): void {
    const now = clock.now();
    for (const [id, { untilMs }] of ends) {
      if (untilMs > now && characters <= maxCharacters) return;
      remove(id);
    }
  }

  return {
    add(change) {
      remove(change.id);
      const text = textOf(change);
      ends.set(change.id, { text, untilMs: clock.now() + keptMs });
      characters += text.length;
      forgetOld();
    },
    get(id) {
      forgetOld();
      const text = ends.get(id)?.text;
      return text === undefined ? undefined : changeOf(text);
    },
    get ids() {
      forgetOld();
      return [...ends.keys()];
    },
    clear() {
      ends.clear();
      characters = 0;
    },
  };
}

/** A change with the record after it, and what leads back to the one before. */
type Kept = Omit<JournalChange, "before"> & { readonly back: Patch<ExecutionRecord> };

function textOf({ before, ...change }: JournalChange): string {
  return JSON.stringify({ ...change, back: difference(change.after, before) } satisfies Kept);
}

function changeOf(text: string): JournalChange {
  const { back, ...change }: Kept = JSON.parse(text);
  const before = { ...change.after, ...back.set };
  for (const field of back.unset ?? []) Reflect.deleteProperty(before, field);
  return { ...change, before };
}
