import { noTracing, type SpanOptions, type TraceSpan, type Tracing } from "@parallax/core";
import type { NodeFrame } from "@parallax/protocol";
import type { Hub } from "../agents/hub.ts";
import type { Aggregator } from "../executions/aggregator.ts";
import type { Letter } from "../executions/inbox.ts";
import type { Journal } from "../executions/journal.ts";
import type { ExecutionRecord, ExecutionStatus } from "../executions/record.ts";

/**
 * The spans of an execution. Its record holds the `traceparent` of its submission, so that every node that has to do with it goes
 * on with the same trace; what was submitted without one is not traced, and costs nothing.
 */
export interface WorkTracing {
  /** Runs a submission, whose span becomes the parent of all others; `parent` is the request's `traceparent`. */
  submission<Result extends { readonly execution: { readonly id: string } }>(
    about: { readonly name: string; readonly parent: string | undefined },
    submit: (traceparent: string | undefined) => Promise<Result>,
  ): Promise<Result>;
  /** The same journal, with a span for each write. */
  journal(journal: Journal): Journal;
  /** The same aggregator, with a span for each run of a user's function. */
  aggregator(aggregator: Aggregator): Aggregator;
  /** The same hub, with a span for each task that is sent: the parent of the agent's own. */
  sending(hub: Pick<Hub, "has" | "send">): Pick<Hub, "has" | "send">;
  /** Puts a letter into the inbox of the execution of `record`. */
  answer<Result>(
    record: Pick<ExecutionRecord, "traceparent">,
    letter: Letter,
    act: () => Promise<Result>,
  ): Promise<Result>;
}

export function createWorkTracing(tracing: Tracing, nodeId: string): WorkTracing {
  /** A span in the trace of an execution, if it has one. */
  function within<Result>(
    parent: string | undefined,
    options: Omit<SpanOptions, "parent">,
    act: (span: TraceSpan | undefined) => Result,
  ): Result {
    if (parent === undefined) return act(undefined);
    const attributes = { "parallax.node.id": nodeId, ...options.attributes };
    return tracing.inSpan({ ...options, parent, attributes }, act);
  }

  return {
    submission({ name, parent }, submit) {
      const attributes = { "parallax.node.id": nodeId };
      return tracing.inSpan({ name, kind: "server", parent, orActive: true, attributes }, async (span) => {
        const result = await submit(span?.traceparent);
        span?.set({ "parallax.execution.id": result.execution.id });
        return result;
      });
    },
    journal: (journal) => ({
      create(id, record, passed) {
        const { traceparent } = record;
        const create = () => journal.create(id, record, passed);
        return traceparent === undefined
          ? create()
          : within(traceparent, writeSpan(id, [record.status, ...passed]), create);
      },
      write(change, signal) {
        const { id, after, passed = [] } = change;
        const write = () => journal.write(change, signal);
        return after.traceparent === undefined
          ? write()
          : within(after.traceparent, writeSpan(id, [...passed, after.status]), write);
      },
    }),
    aggregator: (aggregator) => ({
      run: (state) =>
        within(state.record.traceparent, { name: `aggregate ${state.record.pattern}` }, () =>
          aggregator.run(state),
        ),
    }),
    sending: (hub) => ({
      has: (agentId) => hub.has(agentId),
      send(agentId, frame) {
        if (frame.type !== "task" || frame.traceparent === undefined) return hub.send(agentId, frame);
        const { taskId, attempt, pattern, traceparent } = frame;
        const options = {
          name: `dispatch ${pattern}`,
          kind: "producer" as const,
          attributes: attributesOf({ taskId, attempt, agentId }),
        };
        return within(traceparent, options, (span) =>
          hub.send(agentId, span ? ({ ...frame, traceparent: span.traceparent } satisfies NodeFrame) : frame),
        );
      },
    }),
    answer({ traceparent }, letter, act) {
      if (traceparent === undefined) return act();
      const attributes = letter.kind === "cancel" ? {} : attributesOf(letter);
      return within(traceparent, { name: `take ${letter.kind}`, attributes }, act);
    },
  };
}

/** Without spans. */
export const untraced: WorkTracing = createWorkTracing(noTracing, "");

function attributesOf({
  taskId,
  attempt,
  agentId,
}: {
  readonly taskId: string;
  readonly attempt: number;
  readonly agentId: string;
}): Record<string, string | number> {
  return { "parallax.task.id": taskId, "parallax.task.attempt": attempt, "parallax.agent.id": agentId };
}

/** Named after the status that is reached; the attribute tells those on the way, too, as one write may pass several. */
function writeSpan(id: string, passed: readonly ExecutionStatus[]): Omit<SpanOptions, "parent"> {
  const statuses = [...new Set(passed)];
  return {
    name: `write ${statuses.at(-1)}`,
    attributes: { "parallax.execution.id": id, "parallax.execution.statuses": statuses.join(",") },
  };
}
