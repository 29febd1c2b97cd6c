import type { MemoryRecordSpace } from "@parallax/state-store/memory";
import { z } from "zod";
import { type ExecutionRecord, executionRecordSchema, isFinal } from "../../src/executions/record.ts";

type RecordState =
  ReturnType<MemoryRecordSpace["shelf"]>["records"] extends Map<string, infer State> ? State : never;

/** How often each thing happened. */
export type Counts = Map<string, number>;

export function count(counts: Counts, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** What is seen of one execution. */
interface Seen {
  state: RecordState;
  record: ExecutionRecord;
  /** How it ended when that was first seen. */
  end: { readonly status: string; readonly result: string } | undefined;
  readonly owners: Set<string>;
}

/** Looks at the records after every step of a history. */
export interface Watch {
  look(): void;
  /** What is wrong with how things are now, by execution. */
  readonly wrong: ReadonlyMap<string, string>;
  readonly seen: ReadonlyMap<string, Seen>;
}

const letterShape = z.object({
  kind: z.string(),
  taskId: z.string().optional(),
  agentId: z.string().optional(),
});

/** `isAlive` says whether the process of an owner runs: only then is a change of owner a planned one. */
export function createWatch(options: {
  readonly space: MemoryRecordSpace;
  readonly counts: Counts;
  readonly isAlive: (owner: string) => boolean;
  /** A roll-back takes letters back that were counted already: the result stays, one of its answers is not shown. */
  readonly mayLackLetters: () => boolean;
}): Watch {
  const { space, counts, isAlive, mayLackLetters } = options;
  const seen = new Map<string, Seen>();
  const wrong = new Map<string, string>();
  let last: ReadonlyMap<string, RecordState> = new Map();

  function note(id: string, state: RecordState): void {
    const record = executionRecordSchema.parse(fieldsOf(state));
    const known = seen.get(id);
    const entry: Seen = known ?? { state, record, end: undefined, owners: new Set() };
    seen.set(id, entry);
    if (record.owner !== undefined) entry.owners.add(record.owner);
    if (known) compare(id, known, record);
    entry.state = state;
    entry.record = record;
    if (!isFinal(record.status)) return;
    const end = { status: record.status, result: JSON.stringify(record.result ?? record.error?.code) };
    entry.end ??= end;
    if (entry.end.status !== end.status || entry.end.result !== end.result)
      wrong.set(id, `ended as ${entry.end.status} ${entry.end.result}, then as ${end.status} ${end.result}`);
    checkEnd(id, state, record);
  }

  function compare(id: string, { record: before }: Seen, record: ExecutionRecord): void {
    if (before.status !== record.status) count(counts, `${before.status} → ${record.status}`);
    const [from, to] = [before.owner, record.owner];
    if (from !== undefined && to !== undefined && from !== to)
      count(counts, `${before.status}: ${isAlive(from) ? "handed over" : "adopted"}`);
    if (record.error?.code === "poisoned" && record.adoptions < 3) wrong.set(id, "poisoned too early");
  }

  /** X3, X4: no agent and no task counts twice, and the result is made of what lies in the inbox. */
  function checkEnd(id: string, state: RecordState, record: ExecutionRecord): void {
    if (record.status !== "completed") return;
    const letters = [...state.inbox.values()].map((text) => letterShape.parse(JSON.parse(text)));
    const done = new Set(record.tasks.filter(({ status }) => status === "completed").map((task) => task.id));
    const used = letters.filter(({ kind, taskId }) => kind === "result" && done.has(taskId ?? ""));
    const isComplete = used.length === done.size || (mayLackLetters() && used.length < done.size);
    if (!isComplete) wrong.set(id, `${done.size} tasks are done by ${used.length} results`);
    if (new Set(used.map(({ agentId }) => agentId)).size !== used.length)
      wrong.set(id, "an agent counted twice");
    if (record.definition.aggregate.strategy !== "all") return;
    const { result } = record;
    const parts = Array.isArray(result) ? result : [];
    const expected = `done ${JSON.stringify(record.input)}`;
    if (parts.length !== record.definition.agents.max || parts.some((part) => part !== expected))
      wrong.set(id, `its result is ${JSON.stringify(result)}`);
  }

  return {
    look() {
      const { records } = space.shelf(0, "execution");
      for (const [id, state] of records) if (last.get(id) !== state) note(id, state);
      last = new Map(records);
    },
    wrong,
    seen,
  };
}

/** The fields of a record as its schema has them: what is no text is JSON, and a text may be either. */
function fieldsOf({ fields }: RecordState): Record<string, unknown> {
  return Object.fromEntries([...fields].map(([name, text]) => [name, parse(text)]));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
