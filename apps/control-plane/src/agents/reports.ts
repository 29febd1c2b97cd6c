import type { HeldTask } from "@parallax/protocol";
import type { OutcomeLetter } from "./letter.ts";

/** What became of a letter: the words in which the agent is told. */
export type Receipt = "counted" | "superseded" | "unknown";

/** What the agents of this node report about tasks. */
export interface TaskReports {
  accepted(taskId: string, attempt: number): void;
  /** The agent refused the attempt, or is gone for good. */
  lost(taskId: string, attempt: number, refused: boolean): void;
  /** Puts the letter into the execution's inbox. Resolves once it is there for good; only then is the agent told (X5). */
  deliver(letter: OutcomeLetter): Promise<Receipt>;
  /** Which of the tasks that an agent says it holds were given to it, and which are not wanted any more. */
  standings(agentId: string, held: readonly HeldTask[]): Promise<readonly ("wanted" | Receipt)[]>;
}
