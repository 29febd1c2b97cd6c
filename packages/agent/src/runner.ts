import { type Logger, ParallaxError, type SpanOptions, type Tracing } from "@parallax/core";
import type { Task, TaskHandler } from "./handler.ts";
import type { Outcome } from "./outcome.ts";

/** What {@link createRunner} reports to. */
export interface RunnerOptions {
  readonly logger: Logger;
  readonly tracing: Tracing;
  readonly onProgress: (run: number, value: number, message: string | undefined) => void;
  readonly onFinished: (run: number, outcome: Outcome) => void;
}

/** Runs handlers, each with a signal of its own. */
export interface Runner {
  start(run: number, task: Task, handler: TaskHandler): void;
  abort(run: number, reason: string): void;
  abortAll(reason: string): void;
}

export function createRunner({ logger, tracing, onProgress, onFinished }: RunnerOptions): Runner {
  const controllers = new Map<number, AbortController>();

  function abort(run: number, reason: string): void {
    const message = `running a task: ${reason}; stop working on it`;
    controllers.get(run)?.abort(new ParallaxError("task_cancelled", message));
  }

  async function outcomeOf(
    run: number,
    task: Task,
    handler: TaskHandler,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const log = logger.child({ task: task.id, attempt: task.attempt });
    try {
      const progress = (value: number, message?: string): void => onProgress(run, value, message);
      const answer = await tracing.inSpan(spanOf(task), async (span) =>
        // What the handler calls belongs to its own span.
        handler(span ? { ...task, traceparent: span.traceparent } : task, { signal, progress, log }),
      );
      return { type: "answered", answer };
    } catch (error) {
      if (!signal.aborted) log.warn("the handler of a task failed", { error });
      return { type: "threw", error };
    }
  }

  return {
    start(run, task, handler) {
      const controller = new AbortController();
      controllers.set(run, controller);
      outcomeOf(run, task, handler, controller.signal)
        .then((outcome) => {
          controllers.delete(run);
          onFinished(run, outcome);
        })
        .catch((error: unknown) => logger.error("could not report a task", { task: task.id, error }));
    },
    abort,
    abortAll(reason) {
      for (const run of controllers.keys()) abort(run, reason);
    },
  };
}

function spanOf({ id, executionId, attempt, capability, pattern, traceparent }: Task): SpanOptions {
  return {
    name: `task ${capability}`,
    kind: "consumer",
    parent: traceparent,
    attributes: {
      "parallax.execution.id": executionId,
      "parallax.pattern": pattern,
      "parallax.task.id": id,
      "parallax.task.attempt": attempt,
    },
  };
}
