import { z } from "zod";

/** The id of an execution: `exec_` and letters, digits, `_` or `-`. */
export const executionIdSchema: z.ZodType<string> = z
  .string()
  .regex(/^exec_[\w-]{1,64}$/, "must be the id of an execution: exec_ and letters or digits")
  .meta({ description: "The id of an execution.", examples: ["exec_3k9x0c7m1v5q8b2n4t6w"] });

/** The id of an agent's session: `agent_` and letters, digits, `_` or `-`. */
export const agentIdSchema: z.ZodType<string> = z
  .string()
  .regex(/^agent_[\w-]{1,64}$/, "must be the id of an agent: agent_ and letters or digits")
  .meta({ description: "The id of an agent's session.", examples: ["agent_8b2n4t6w3k9x0c7m1v5q"] });

/** The id of a task: its execution's id and its number within it, `exec_…:0`. */
export const taskIdSchema: z.ZodType<string> = z
  .string()
  .regex(/^exec_[\w-]{1,64}:\d{1,6}$/, "must be the id of a task: that of its execution, : and its number")
  .meta({ description: "The id of a task within its execution.", examples: ["exec_3k9x0c7m1v5q8b2n4t6w:0"] });

/** The id of the task with `index` (0, 1, 2, …) of an execution. */
export function taskIdOf(executionId: string, index: number): string {
  return `${executionId}:${index}`;
}

/** The two parts of a task's id; undefined if it is none. */
export function parseTaskId(
  taskId: string,
): { readonly executionId: string; readonly index: number } | undefined {
  if (!taskIdSchema.safeParse(taskId).success) return undefined;
  const colon = taskId.lastIndexOf(":");
  return { executionId: taskId.slice(0, colon), index: Number(taskId.slice(colon + 1)) };
}
