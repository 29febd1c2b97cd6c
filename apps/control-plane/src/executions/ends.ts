import type { Logger } from "@parallax/core";
import type { Collection } from "@parallax/state-store";
import { type Letter, letterKey } from "./inbox.ts";
import type { Journal, JournalChange } from "./journal.ts";
import { type ExecutionRecord, isFinal } from "./record.ts";
import type { Remembered } from "./remembered.ts";

/** X6: what ended here stays ended, also where a fail-over took the end back. */
export interface Ends {
  note(change: JournalChange | undefined): void;
  /** Whether an execution ended here, and not too long ago. */
  has(id: string): boolean;
  /** Writes the end of an execution again. False when it did not end here, or too long ago, or is another's by now. */
  again(id: string): Promise<boolean>;
  /** Looks whether any end was taken back, and writes it again. */
  recheck(): Promise<void>;
  clear(): void;
}

const pageSize = 500;

export function createEnds(options: {
  readonly remembered: Remembered;
  readonly executions: Pick<Collection<ExecutionRecord>, "getMany" | "deposit">;
  readonly journal: Journal;
  readonly owner: () => string;
  readonly logger: Logger;
}): Ends {
  const { remembered, executions, journal, owner, logger } = options;
  const forever = new AbortController().signal;

  const ends: Ends = {
    note(change) {
      if (change) remembered.add(change);
    },
    has: (id) => remembered.get(id) !== undefined,
    async again(id) {
      const change = remembered.get(id);
      if (!change || change.owner !== owner()) return false;
      const [stored] = await executions.getMany([id]);
      // It was removed since, and its id was given to another one: of the same idempotency key.
      if (stored && stored.value.createdAt !== change.before.createdAt) return false;
      // What it was made of may be gone with it.
      const deposits = change.letters.map((letter) => () => putIn(executions, id, letter));
      const { outcome } = await journal.write({ ...change, deposits }, forever);
      if (outcome === "written") logger.warn("wrote the end of an execution again", { execution: id });
      return true;
    },
    async recheck() {
      const { ids } = remembered;
      for (let first = 0; first < ids.length; first += pageSize) {
        const page = ids.slice(first, first + pageSize);
        const stored = await executions.getMany(page);
        const lost = page.filter((_, index) => !isFinal(stored[index]?.value.status ?? "pending"));
        await Promise.all(lost.map(ends.again));
      }
    },
    clear: () => remembered.clear(),
  };
  return ends;
}

/** Puts a letter into an inbox; one that lies there already does no harm. */
export async function putIn(
  executions: Pick<Collection<ExecutionRecord>, "deposit">,
  id: string,
  letter: Letter,
): Promise<void> {
  await executions.deposit(id, letterKey(letter), JSON.stringify(letter));
}
