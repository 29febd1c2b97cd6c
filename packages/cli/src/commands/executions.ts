import type { Execution, ExecutionStatus } from "@parallax/protocol";
import { InvalidArgumentError, Option } from "commander";
import type { CliContext, RegisterCommand } from "../context.ts";

interface ListOptions {
  readonly status?: ExecutionStatus;
  readonly node?: string;
  readonly pattern?: string;
  readonly limit: number;
}

const statuses: readonly ExecutionStatus[] = [
  ...(["pending", "running", "aggregating"] as const),
  ...(["completed", "failed", "cancelled"] as const),
];

/** `parallax executions` */
export const registerExecutions: RegisterCommand = (parent, context) => {
  parent
    .command("executions")
    .description("list executions, or show one with the key of its record in Redis")
    .argument("[id]", "the execution to show")
    .addOption(new Option("--status <status>", "only those").choices(statuses))
    .option("--node <id>", "only those that this node drives")
    .option("--pattern <name>", "only those of this pattern")
    .option("--limit <count>", "how many at most, the newest first", readLimit, 20)
    .addHelpText("after", "\nExample:\n  $ parallax executions --status running")
    .action((id: string | undefined, options: ListOptions) =>
      id === undefined ? list(context, options) : show(context, id),
    );
};

/** A whole number from 1 to 1000. */
export function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new InvalidArgumentError("Write a whole number from 1 to 1000.");
  }
  return limit;
}

async function list(context: CliContext, options: ListOptions): Promise<void> {
  const client = await context.client();
  const page = await client.executions.list(options);
  const { renderTable, shortTime } = await import("../render/table.ts");
  context.print(page, ({ executions }) =>
    executions.length === 0
      ? "No executions"
      : renderTable(
          ["Id", "Status", "Pattern", "Node", "Created"],
          executions.map(({ id, status, pattern, nodeId, createdAt }) => [
            ...[id, status, pattern, nodeId],
            shortTime(createdAt),
          ]),
          context.io.columns,
        ),
  );
}

async function show(context: CliContext, id: string): Promise<void> {
  const client = await context.client();
  const execution = await client.executions.get(id);
  const { renderTable, shortTime } = await import("../render/table.ts");
  context.print(execution, (value) => {
    const facts = factsOf(value, shortTime);
    const tasks = value.tasks.map((task) => [
      ...[task.id, task.status, String(task.attempt), task.agentId ?? "-"],
      task.error?.message ?? (task.result === undefined ? "-" : shorten(JSON.stringify(task.result))),
    ]);
    const table = renderTable(["Task", "Status", "Attempt", "Agent", "Result"], tasks, context.io.columns);
    return tasks.length === 0 ? facts : `${facts}\n\n${table}`;
  });
}

function factsOf(execution: Execution, shortTime: (time: string | undefined) => string): string {
  const { id, status, pattern, nodeId, redisKey, createdAt, startedAt, finishedAt, retryOf, result, error } =
    execution;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Id", id],
    ["Status", status],
    ["Pattern", pattern],
    ["Node", nodeId],
    ["Created", shortTime(createdAt)],
    ["Started", startedAt && shortTime(startedAt)],
    ["Finished", finishedAt && shortTime(finishedAt)],
    ["Retry of", retryOf],
    ["Result", result === undefined ? undefined : JSON.stringify(result)],
    ["Error", error && `${error.message} (${error.code})`],
    ["Redis key", redisKey],
  ];
  return facts.flatMap(([name, text]) => (text === undefined ? [] : [`${name}: ${text}`])).join("\n");
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
