import { z } from "zod";

/** What an agent answered for a task; the first one counts, of whatever attempt (X4). */
const resultSchema = z.object({
  kind: z.literal("result"),
  taskId: z.string(),
  attempt: z.number().int(),
  agentId: z.string(),
  agentName: z.string(),
  result: z.unknown(),
  confidence: z.number().optional(),
});

/** An attempt that the agent could not do. */
const failureSchema = z.object({
  kind: z.literal("failure"),
  taskId: z.string(),
  attempt: z.number().int(),
  agentId: z.string(),
  error: z.object({ code: z.string(), message: z.string() }),
  retryable: z.boolean(),
});

/** Somebody asked for the execution to be cancelled. */
const cancelSchema = z.object({ kind: z.literal("cancel"), reason: z.string() });

/**
 * The inbox of an execution: any node puts letters in, only the owner reads them and changes the record (X5).
 * The key of a letter makes a repeated one harmless.
 */
export const letterSchema = z.discriminatedUnion("kind", [resultSchema, failureSchema, cancelSchema]);

export type Letter = z.infer<typeof letterSchema>;
export type ResultLetter = z.infer<typeof resultSchema>;

/** Under which key a letter lies: one result per task, one failure per attempt, one cancel request. */
export function letterKey(letter: Letter): string {
  switch (letter.kind) {
    case "result":
      return resultKey(letter.taskId);
    case "failure":
      return `failure:${letter.taskId}:${letter.attempt}`;
    case "cancel":
      return "cancel";
  }
}

/** Under which key the result of a task lies. */
export function resultKey(taskId: string): string {
  return `result:${taskId}`;
}

/** The letters of an inbox as read from the store. */
export function readInbox(inbox: Readonly<Record<string, string>>): Letter[] {
  return Object.values(inbox).map((text) => letterSchema.parse(JSON.parse(text)));
}
