import { z } from "zod";
import type { Task } from "../../src/executions/record.ts";
import { answerTo } from "./agents.ts";
import { merged } from "./functions.ts";
import { json, type RecordState, type Seen } from "./watch.ts";

/** An outage that is shorter than the look at the records takes, and a look, may count. */
const tolerableMs = 2500;
/** A letter whose word was lost is found at the look after the next. */
const foundMs = 4000;

const letterSchema = z.object({
  kind: z.string(),
  taskId: z.string().optional(),
  agentId: z.string().optional(),
});
const definitionSchema = z.object({
  timeout: z.string(),
  agents: z.object({ min: z.number(), max: z.number() }),
  aggregate: z.object({ strategy: z.string() }),
});

/** X3: no agent has two tasks of an execution whose answers may both count. */
export function agentsProblem(tasks: readonly Task[]): string | undefined {
  const taskOf = new Map<string, string>();
  for (const task of tasks)
    for (const { agentId, refused } of task.assignments) {
      if (refused) continue;
      const other = taskOf.get(agentId);
      if (other !== undefined && other !== task.id) return `asked ${agentId} for two of its tasks`;
      taskOf.set(agentId, task.id);
    }
  return undefined;
}

/** Whether as many results lie in the inbox as the execution needs. */
export function hasEnough(state: RecordState, tasks: readonly Task[]): boolean {
  const { agents, aggregate } = definitionSchema.parse(json(state, "definition"));
  if (aggregate.strategy === "quorum" || aggregate.strategy === "function") return false;
  const done = new Set(lettersOf(state).flatMap(({ kind, taskId }) => (kind === "result" ? taskId : [])));
  return tasks.filter(({ id }) => done.has(id)).length >= agents.min;
}

/** X8: only time in which somebody could work on it counts. X2: what lay in the inbox for long has been found. */
export function timeProblem({ state, countedMs, enoughAtMs }: Seen, nowMs: number): string | undefined {
  const { timeout } = definitionSchema.parse(json(state, "definition"));
  const neededMs = Number.parseFloat(timeout) * 1000;
  if (countedMs < neededMs - tolerableMs) return `was out of time after ${countedMs} ms of ${neededMs}`;
  if (enoughAtMs !== undefined && nowMs - enoughAtMs > foundMs)
    return `was out of time, though its results lay in the inbox since ${enoughAtMs}`;
  return undefined;
}

/** X6: whoever was asked before a fail-over is known to have been asked, and what was done is done, once its owner has written. */
export function takenBackProblem(before: readonly Task[], after: readonly Task[]): string | undefined {
  for (const [index, { assignments, status }] of before.entries()) {
    const now = after[index];
    if (assignments.some(({ agentId }, attempt) => now?.assignments[attempt]?.agentId !== agentId))
      return `does not know any more whom it has asked for its task ${index}`;
    if (status === "completed" && now?.status !== "completed")
      return `has lost its task ${index}, which was done`;
  }
  return undefined;
}

/** X3, X4: no agent and no task counts twice, and the result is made of what lies in the inbox. */
export function resultProblem({ state, tasks }: Seen, mayLackLetters: boolean): string | undefined {
  const results = lettersOf(state).filter(({ kind }) => kind === "result");
  const done = new Set(tasks.filter((task) => task.status === "completed").map((task) => task.id));
  const used = results.filter(({ taskId }) => done.has(taskId ?? ""));
  const answered = new Set(used.map(({ taskId }) => taskId)).size;
  if (answered !== used.length) return "a task has two results";
  // A roll-back takes letters back that were counted already: the result stays, one of its answers is not shown.
  if (answered < done.size && !mayLackLetters) return `${done.size} tasks are done by ${answered} results`;
  if (new Set(used.map(({ agentId }) => agentId)).size !== used.length) return "an agent counted twice";
  return isExpected(state) ? undefined : `its result is ${state.fields.get("result")}`;
}

function isExpected(state: RecordState): boolean {
  const { agents, aggregate } = definitionSchema.parse(json(state, "definition"));
  const result = json(state, "result");
  const answer = answerTo(json(state, "input"));
  const all = Array.from({ length: agents.max }, () => answer);
  const expected: Readonly<Record<string, unknown>> = {
    all,
    function: merged(all),
    first: answer,
    quorum: answer,
  };
  // Where they don't agree, one of them is the first.
  if (aggregate.strategy === "first" && String(result).endsWith(" disagrees")) return true;
  return JSON.stringify(result) === JSON.stringify(expected[aggregate.strategy]);
}

function lettersOf({ inbox }: RecordState): z.infer<typeof letterSchema>[] {
  return [...inbox.values()].map((text) => letterSchema.parse(JSON.parse(text)));
}
