import { isParallaxError, type Logger } from "@parallax/core";
import type { FailureFrame, ResultFrame } from "@parallax/protocol";
import { letterOf } from "./letter.ts";
import type { TaskReports } from "./reports.ts";
import type { Session } from "./session.ts";

export interface OutcomesOptions {
  readonly reports: Pick<TaskReports, "deliver">;
  /** The task is answered: its place is free again. */
  readonly onAnswered: (agentId: string, taskId: string) => void;
  /** The answer has arrived for good. */
  readonly onTaken: (agentId: string, taskId: string) => void;
  readonly logger: Logger;
}

/** Takes the results and failures that agents send. */
export interface Outcomes {
  take(session: Session, frame: ResultFrame | FailureFrame): void;
}

/** So many results of one connection may wait for the store; while as many do, no more is read from it. */
const maxUndelivered = 64;

export function createOutcomes({ reports, onAnswered, onTaken, logger }: OutcomesOptions): Outcomes {
  const undelivered = new WeakMap<Session, number>();

  /** Counts what waits for the store, and lets the connection wait with it. */
  function count(session: Session, change: 1 | -1): void {
    const before = undelivered.get(session) ?? 0;
    const after = before + change;
    undelivered.set(session, after);
    if (before < maxUndelivered && after >= maxUndelivered) session.connection.pause();
    else if (before >= maxUndelivered && after < maxUndelivered) session.connection.resume();
  }

  async function take(session: Session, frame: ResultFrame | FailureFrame): Promise<void> {
    const { agentId, name } = session;
    const { taskId, attempt } = frame;
    count(session, 1);
    try {
      onAnswered(agentId, taskId);
      const outcome = await reports.deliver(letterOf(frame, agentId, name));
      onTaken(agentId, taskId);
      session.connection.send({ type: "ack", taskId, attempt, outcome });
    } catch (error) {
      // Not acknowledged, so the agent sends it again (X5).
      const write = isParallaxError(error) ? logger.warn : logger.error;
      write("could not take an agent's result; it will come again", { task: taskId, error });
    } finally {
      count(session, -1);
    }
  }

  return { take: (session, frame) => void take(session, frame) };
}
