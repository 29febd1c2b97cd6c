import type { Execution, Task as PublicTask } from "@parallax/protocol";
import type { Letter } from "./inbox.ts";
import { attemptOf, currentAssignment, type ExecutionRecord, type Task } from "./record.ts";

/** An execution as the API shows it. The results of its tasks lie in its inbox; a list shows executions without them. */
export function viewOf(id: string, record: ExecutionRecord, letters: readonly Letter[] = []): Execution {
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

/** Without the fields that have no value. */
function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
