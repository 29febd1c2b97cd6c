import { createDeferred, type Logger, ParallaxError } from "@parallax/core";
import type { CreateOutcome, DepositOutcome } from "@parallax/state-store";
import type { ExecutionState } from "./advance.ts";
import { waitBeforeMs } from "./counted-time.ts";
import { createDeposit, type Deposit, type Enclosure } from "./deposit.ts";
import type { Journal, JournalChange, JournalOutcome } from "./journal.ts";
import { type ExecutionRecord, type ExecutionStatus, isFinal } from "./record.ts";
import { mustBeWritten } from "./turn.ts";

/** What the writers of all records share. */
export interface RecordWriterParts {
  readonly journal: Journal;
  readonly logger: Logger;
}

/** Where one writer begins. */
export interface RecordWriterStart {
  readonly id: string;
  readonly owner: string;
  readonly record: ExecutionRecord;
  /** 0: the store has no record yet, the first write creates it. */
  readonly version: number;
}

/** What one owner knows of an execution's record in the store, and its way to change it. */
export interface RecordWriter {
  /** Of what is written; 0 before the creation. */
  version(): number;
  /** The write that finished it. */
  finalChange(): JournalChange | undefined;
  /** What came of the creation of a new record. */
  readonly created: Promise<CreateOutcome<ExecutionRecord>>;
  /** Whether the store has to know of this state before anything is done about it. */
  mustWrite(next: ExecutionState): boolean;
  /** Writes it, with the letters that led to it. @throws ParallaxError `aborted` */
  write(
    next: ExecutionState,
    passed: readonly ExecutionStatus[],
    signal: AbortSignal,
  ): Promise<JournalOutcome>;
  /** Puts a letter into the inbox, with the next write or with {@link RecordWriter.depositAll}. */
  enclose(letter: Enclosure): Promise<DepositOutcome>;
  /** Whether letters wait for one of the two. */
  hasLetters(): boolean;
  /** Without a write: what follows from a result is told by the inbox. */
  depositAll(): void;
  /** X6: the store has less than was written; the next state is written in any case. False before the creation. */
  markLost(): boolean;
  isLost(): boolean;
  /** Nothing is written any more; the letters go to whoever owns it now. */
  giveUp(): void;
}

export function createRecordWriter(parts: RecordWriterParts, start: RecordWriterStart): RecordWriter {
  const { journal, logger } = parts;
  const { id, owner } = start;
  const creation = createDeferred<CreateOutcome<ExecutionRecord>>();
  /** Letters that don't lie in the inbox for certain, by their keys. */
  const enclosed = new Map<string, Deposit>();
  let { record: written, version } = start;
  let isLost = false;
  let finalChange: JournalChange | undefined;

  async function create(
    record: ExecutionRecord,
    passed: readonly ExecutionStatus[],
  ): Promise<JournalOutcome> {
    try {
      const result = await journal.create(id, record, [start.record.status, ...passed]);
      creation.resolve(result);
      if (result.outcome !== "created") return { outcome: "not-ours" };
      ({ version } = result);
      written = record;
      return { outcome: "written", version, outageMs: waitBeforeMs(record, result.storeTimeMs) };
    } catch (error) {
      // Whoever submitted it is told; whether there is a record, a look at the index shows.
      creation.reject(error);
      logger.debug("an execution was not created for certain", { execution: id, error });
      return { outcome: "not-ours" };
    }
  }

  async function update(
    next: ExecutionState,
    passed: readonly ExecutionStatus[],
    signal: AbortSignal,
  ): Promise<JournalOutcome> {
    isLost = false;
    const letters = [...next.results.values()];
    const change = { id, owner, version, before: written, after: next.record, passed, letters };
    const { within, apart } = fitIn([...enclosed.values()]);
    const deposits = apart.map(({ put }) => put);
    const result = await journal.write({ ...change, enclosed: within, deposits }, signal);
    if (result.outcome === "refused") for (const deposit of within) deposit.isApart = true;
    if (result.outcome !== "written") return result;
    for (const deposit of within) deposit.settle({ outcome: "ok" });
    if (isFinal(next.record.status)) finalChange = change;
    ({ version } = result);
    written = next.record;
    return result;
  }

  const writer: RecordWriter = {
    version: () => version,
    finalChange: () => finalChange,
    isLost: () => isLost,
    created: creation.promise,
    mustWrite: ({ record }) => isLost || version === 0 || mustBeWritten(written, record),
    write: (next, passed, signal) =>
      version === 0 ? create(next.record, passed) : update(next, passed, signal),
    enclose(letter) {
      const known = enclosed.get(letter.key);
      // Another one under the same key comes after it: the first counts (X4).
      if (known && known.text !== letter.text) return known.outcome().then(letter.put, letter.put);
      const deposit = known ?? createDeposit(letter, ({ key }) => enclosed.delete(key));
      enclosed.set(letter.key, deposit);
      return deposit.outcome();
    },
    hasLetters: () => enclosed.size > 0,
    depositAll() {
      for (const { isUnderWay, put } of enclosed.values()) if (!isUnderWay()) put().catch(() => {});
    },
    markLost() {
      isLost = version > 0;
      return isLost;
    },
    giveUp() {
      writer.depositAll();
      if (version === 0) creation.reject(givenUp(id));
    },
  };
  return writer;
}

/** What one write carries of letters at most (S7): a call to the store must not grow with their size. */
const maxEnclosed = { letters: 100, characters: 256 * 1024 };

/** The letters that the next write carries, and those that go before it. */
function fitIn(deposits: readonly Deposit[]): {
  readonly within: readonly Deposit[];
  readonly apart: readonly Deposit[];
} {
  let letters = 0;
  let characters = 0;
  const fits = ({ isApart, text }: Deposit): boolean => {
    if (isApart) return false;
    letters += 1;
    characters += text.length;
    return letters <= maxEnclosed.letters && characters <= maxEnclosed.characters;
  };
  const within = deposits.filter(fits);
  return { within, apart: deposits.filter((deposit) => !within.includes(deposit)) };
}

/** As with a time-out, its creation may have arrived: then another node goes on with it. */
function givenUp(id: string): ParallaxError<"timeout"> {
  const message = `creating execution ${id}: this node lost its place in the cluster before the store had answered`;
  return new ParallaxError("timeout", message);
}
