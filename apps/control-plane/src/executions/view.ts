import type { Execution, Task as PublicTask } from "@parallax/protocol";
import { apply, type ExecutionState } from "./advance.ts";
import type { Letter } from "./inbox.ts";
import { present } from "./present.ts";
import { attemptOf, currentAssignment, type ExecutionRecord, type Task } from "./record.ts";

/** An execution as the API shows it. The results of its tasks lie in its inbox; a list shows executions without them. */
export function viewOf(id: string, stored: ExecutionRecord, letters: readonly Letter[] = []): Execution {
  const record = withLetters(stored, letters);
  const { status, pattern, nodeId, tasks, createdAt } = record;
  const results = new Map(
    letters.flatMap((letter) => (letter.kind === "result" ? [[letter.taskId, letter]] : [])),
  );
  const attempts = tasks.reduce((sum, task) => sum + attemptOf(task), 0);
  return {
    id,
    status,
    pattern,
    input: record.input ?? null,
    ...present({ result: record.result, error: record.error }),
    nodeId,
    attempts,
    tasks: tasks.map((task) => taskView(task, results.get(task.id))),
    createdAt,
    ...present({ startedAt: record.startedAt, finishedAt: record.finishedAt, retryOf: record.retryOf }),
  };
}

/** A result is in the inbox before the record says so, if it ever has to. */
function withLetters(record: ExecutionRecord, letters: readonly Letter[]): ExecutionRecord {
  const open = new Set(record.tasks.filter(isOpen).map(({ id: taskId }) => taskId));
  const results = letters.filter((letter) => letter.kind === "result" && open.has(letter.taskId));
  const begin: ExecutionState = { record, results: new Map() };
  return results.reduce((state, letter) => apply(state, letter, record.deadlineAtMs), begin).record;
}

function isOpen({ status }: Task): boolean {
  return status === "waiting" || status === "assigned";
}

function taskView(task: Task, letter: Extract<Letter, { kind: "result" }> | undefined): PublicTask {
  const counted = task.status === "completed" ? letter : undefined;
  return {
    id: task.id,
    status: task.status === "waiting" ? "pending" : task.status,
    attempt: counted?.attempt ?? attemptOf(task),
    ...present({
      agentId: counted?.agentId ?? currentAssignment(task)?.agentId,
      result: counted?.result,
      confidence: counted?.confidence,
      error: task.error,
    }),
  };
}
