import { isParallaxError } from "@parallax/core";

/** What the command's end tells a script. */
export const exitCodes = { done: 0, failed: 1, wrongUse: 2, unreachable: 3 } as const;

const wrongUse: ReadonlySet<string> = new Set([
  "invalid_url",
  "invalid_duration",
  "invalid_input",
  "wrong_use",
]);

/** The exit code for an error that a command ended with. */
export function exitCodeOf(error: unknown): number {
  if (!isParallaxError(error)) return exitCodes.failed;
  if (error.code === "unreachable") return exitCodes.unreachable;
  // A call that no node answered in time; an execution that takes long has an id, and was reached.
  if (error.code === "timeout" && error.details?.executionId === undefined) return exitCodes.unreachable;
  return wrongUse.has(error.code) ? exitCodes.wrongUse : exitCodes.failed;
}
