import type { MemoryRecordSpace } from "@parallax/state-store/memory";
import { z } from "zod";
import { type ExecutionStatus, isFinal, type Task, taskSchema } from "../../src/executions/record.ts";
import { agentsProblem, hasEnough, resultProblem, timeProblem } from "./endings.ts";

export type RecordState =
  ReturnType<MemoryRecordSpace["shelf"]>["records"] extends Map<string, infer State> ? State : never;

/** How often each thing happened. */
export type Counts = Map<string, number>;

export function count(counts: Counts, what: string, times = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + times);
}

/** How an execution ended. */
interface End {
  readonly status: ExecutionStatus;
  /** Its result, or the code of its error. */
  readonly what: string;
}

/** What is seen of one execution. */
export interface Seen {
  state: RecordState;
  status: ExecutionStatus;
  tasks: readonly Task[];
  /** Who has it, or had it last. */
  owner: string | undefined;
  /** How it ended when that was first seen. */
  end: End | undefined;
  /** Every assignment that was ever journaled: task, attempt and agent. */
  readonly asked: Set<string>;
  /** Store time at which the watch has begun to count, and what it has counted: see `tick`. */
  countedMs: number;
  /** When it was last given to another owner. */
  adoptedAtMs: number;
  /** When as many results lay in its inbox as it needs. */
  enoughAtMs: number | undefined;
}

/** What became of an owner, so that another one may have its executions. */
export interface OwnerFacts {
  /** How the process ended, or was declared to have ended; undefined while it counts as alive. */
  fateOf(owner: string): string | undefined;
  /** Why a living owner hands over, if it has a reason to. */
  reasonOf(owner: string): string | undefined;
}

export interface WatchOptions {
  readonly space: MemoryRecordSpace;
  readonly counts: Counts;
  readonly owners: OwnerFacts;
  readonly nowMs: () => number;
  /** Whether the store took back something of this execution. */
  readonly hasLost: (id: string) => boolean;
  /** Whether the store has taken anything back. */
  readonly isForgetful: () => boolean;
  /** Whether the cluster is a single node. */
  readonly isAlone: boolean;
  readonly tell: (line: string) => void;
}

/** Looks at the records after every step of a history. */
export interface Watch {
  look(): void;
  /** `ms` have passed in which owners that live and reach the store could work. */
  tick(ms: number, works: (owner: string) => boolean): void;
  /** An agent says that it begins a task. */
  began(taskId: string, attempt: number, agentId: string | undefined): void;
  /** An agent was told what became of its answer. */
  acknowledged(taskId: string, outcome: string): void;
  /** Notes what is wrong with an execution, an agent or the cluster. */
  blame(id: string, what: string): void;
  /** A client was shown this as the end of an execution. */
  shown(id: string, status: ExecutionStatus, what: unknown): void;
  /** What a client was shown as the end has to be the end. */
  checkShown(): void;
  /** What is wrong, by execution. */
  readonly wrong: ReadonlyMap<string, string>;
  readonly seen: ReadonlyMap<string, Seen>;
}

const tasksSchema = z.array(taskSchema);
const errorSchema = z.object({ code: z.string() });
const statusSchema = z.enum(["pending", "running", "aggregating", "completed", "failed", "cancelled"]);

/** What an execution keeps from its creation on, above all its definition (X9). */
const fixed = ["definition", "input", "pattern", "createdAt", "requestDigest", "functionHash"];

/** A task's execution: what stands before its number. */
function executionOf(taskId: string): string {
  return taskId.slice(0, taskId.lastIndexOf(":"));
}

export function createWatch(options: WatchOptions): Watch {
  const { space, counts, owners, nowMs, hasLost, tell } = options;
  const seen = new Map<string, Seen>();
  const wrong = new Map<string, string>();
  const ends = new Map<string, End>();
  /** By agent: the counter of its newest connection. */
  const connections = new Map<string, number>();

  function blame(id: string, what: string): void {
    if (!wrong.has(id)) tell(`WRONG ${id} ${what}`);
    if (!wrong.has(id)) wrong.set(id, what);
  }

  function blameFor(id: string, what: string | undefined): void {
    if (what !== undefined) blame(id, what);
  }

  function note(id: string, state: RecordState): void {
    const known = seen.get(id);
    const status = statusSchema.parse(state.fields.get("status"));
    const isSame = known?.state.fields.get("tasks") === state.fields.get("tasks");
    const tasks = known && isSame ? known.tasks : tasksSchema.parse(json(state, "tasks"));
    const owner = state.fields.get("owner");
    const entry: Seen =
      known ??
      ({
        state,
        status,
        tasks,
        owner,
        end: undefined,
        asked: new Set(),
        countedMs: 0,
        adoptedAtMs: Number.NEGATIVE_INFINITY,
        enoughAtMs: undefined,
      } as const);
    if (known) compare(id, known, state, status);
    else {
      seen.set(id, entry);
      count(counts, `created ${status}`);
    }
    Object.assign(entry, { state, status, tasks, owner: owner ?? entry.owner });
    for (const task of tasks)
      for (const [index, { agentId }] of task.assignments.entries())
        entry.asked.add(`${task.id} ${index + 1} ${agentId}`);
    blameFor(id, agentsProblem(tasks));
    if (hasEnough(state, tasks)) entry.enoughAtMs ??= nowMs();
    if (isFinal(status)) checkEnd(id, entry);
  }

  function compare(id: string, known: Seen, state: RecordState, status: ExecutionStatus): void {
    const { state: before } = known;
    const wentBack = state.version <= before.version && state !== before && state.inbox === before.inbox;
    if (wentBack && !hasLost(id) && state.version < before.version) blame(id, "went back by itself");
    for (const field of fixed)
      if (before.fields.get(field) !== state.fields.get(field)) blame(id, `changed its ${field}`);
    if (known.status !== status) {
      const how = isFinal(known.status) ? "taken back" : "became";
      count(counts, `${known.status} ${how} ${status}`);
      tell(`${id} ${known.status} ${how} ${status} version ${state.version} at ${state.fields.get("owner")}`);
    }
    const isLate = [...state.inbox.keys()].some((key) => !before.inbox.has(key));
    if (isFinal(known.status) && isLate && !hasLost(id)) blame(id, "took a letter after its end");
    const [from, to] = [known.owner, state.fields.get("owner")];
    if (from !== undefined && to !== undefined && from !== to && !isFinal(known.status))
      changeOfOwner(id, known, state, from, to);
  }

  /** X1: nothing is taken from an owner that lives, unless it hands it over itself. X7: only what follows a crash counts. */
  function changeOfOwner(id: string, known: Seen, state: RecordState, from: string, to: string): void {
    const fate = owners.fateOf(from);
    const reason = fate ?? owners.reasonOf(from);
    tell(
      `${id} ${known.status} goes from ${from} to ${to}: ${reason} deadline ${known.state.fields.get("deadlineAtMs")} then ${state.fields.get("deadlineAtMs")}`,
    );
    const how = `${known.status} ${fate === undefined ? "handed over" : "adopted"}`;
    count(counts, `${how}: ${reason ?? "no reason"}`);
    known.adoptedAtMs = nowMs();
    if (options.isAlone) count(counts, `${how}: the only node, started again`);
    if (reason === undefined && !hasLost(id)) blame(id, `was taken from ${from}, which lives`);
    const counted = Number(state.fields.get("adoptions")) - Number(known.state.fields.get("adoptions"));
    if (counted > 0 && fate === undefined && !hasLost(id))
      blame(id, "a planned hand-over counted as a crash");
  }

  function checkEnd(id: string, entry: Seen): void {
    const { state, status } = entry;
    const error = state.fields.has("error") ? errorSchema.parse(json(state, "error")).code : undefined;
    const end: End = { status, what: error ?? state.fields.get("result") ?? "" };
    if (!entry.end) {
      count(counts, `end: ${status}${error === undefined ? "" : ` ${error}`}`);
      tell(
        `${id} ended as ${status} ${end.what} ${state.fields.get("deadlineAtMs")} ${state.fields.get("createdAt")} ${nowMs()}`,
      );
      entry.end = end;
      if (error === "timeout" || error === "no_agents") blameFor(id, timeProblem(entry, nowMs()));
    }
    if (entry.end.status !== end.status || entry.end.what !== end.what)
      blame(id, `ended as ${entry.end.status} ${entry.end.what}, then as ${end.status} ${end.what}`);
    if (error === "poisoned" && Number(state.fields.get("adoptions")) < 3) blame(id, "poisoned too early");
    if (status === "completed") blameFor(id, resultProblem(entry, hasLost(id)));
  }

  /** X10: of two connections of one agent the newer has the session. */
  function noteConnection(id: string, { fields }: RecordState): void {
    const counter = Number(fields.get("connection"));
    const before = connections.get(id) ?? 0;
    if (counter < before && !options.isForgetful()) blame(id, `connection ${counter} came after ${before}`);
    connections.set(id, counter);
  }

  return {
    look() {
      for (const [id, state] of space.shelf(0, "execution").records)
        if (seen.get(id)?.state !== state) note(id, state);
      for (const [id, state] of space.shelf(0, "agent").records) noteConnection(id, state);
    },
    tick(ms, works) {
      for (const entry of seen.values())
        if (!isFinal(entry.status) && entry.owner !== undefined && works(entry.owner)) entry.countedMs += ms;
    },
    began(taskId, attempt, agentId) {
      const id = executionOf(taskId);
      const isAsked = seen.get(id)?.asked.has(`${taskId} ${attempt} ${agentId}`);
      if (!isAsked) blame(id, `${agentId} was given ${taskId} (${attempt}), which nobody has journaled`);
    },
    acknowledged(taskId, outcome) {
      count(counts, `answer ${outcome}`);
      const id = executionOf(taskId);
      const entry = seen.get(id);
      if (!entry || outcome !== "counted" || isFinal(entry.status) || hasLost(id)) return;
      const isThere = [...entry.state.inbox.values()].some((text) => text.includes(`"${taskId}"`));
      if (!isThere) blame(id, `an answer to ${taskId} was acknowledged and is not in the inbox`);
    },
    shown(id, status, what) {
      const text = typeof what === "string" ? what : JSON.stringify(what);
      ends.set(id, { status, what: text ?? "" });
    },
    checkShown() {
      for (const [id, { status, what }] of ends) {
        const end = seen.get(id)?.end;
        if (end?.status !== status || (end.what !== what && end.what !== JSON.stringify(what)))
          blame(id, `was shown as ${status} ${what}, and ended as ${end?.status} ${end?.what}`);
      }
    },
    blame,
    wrong,
    seen,
  };
}

/** A field that is JSON; a text that is none stands for itself. */
export function json({ fields }: RecordState, name: string): unknown {
  const text = fields.get(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
