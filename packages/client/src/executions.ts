import { type Duration, isParallaxError, ParallaxError, parseDuration, randomId } from "@parallax/core";
import {
  cancelExecution,
  type Execution,
  type ExecutionPage,
  getExecution,
  isFinal,
  type ListExecutionsQuery,
  listExecutions,
  retryExecution,
  type StreamEvent,
  type SubmitOptions,
  streamExecutionEvents,
  submitExecution,
} from "@parallax/protocol";
import { type EventOptions, streamEvents } from "./event-stream.ts";
import { allPages } from "./pages.ts";
import { type CallOptions, isBusy, type Requester, requestOf, signalOf } from "./request.ts";

/** The longest wait that one request asks for, in milliseconds: shorter than the patience of common proxies. */
const longestWaitMs = 25_000;

/** What is submitted. */
export interface Submission extends CallOptions {
  /** The pattern's name. */
  readonly pattern: string;
  /** JSON-compatible. Default null. */
  readonly input?: unknown;
  readonly options?: SubmitOptions;
  /** The same key gives the same execution, however often it is sent. Default: random. */
  readonly idempotencyKey?: string;
}

/** What is submitted and waited for. */
export interface Run extends Submission {
  /** How long to wait for the end. Default 5 min. */
  readonly timeout?: Duration;
}

/** Executions: submit, follow, list, cancel. Ids are `exec_…`. */
export interface Executions {
  /** Accepted, and on its way: nothing that was accepted is lost. Safe to repeat: it always carries an idempotency key. */
  submit(submission: Submission): Promise<Execution>;
  /**
   * Submits and waits until it is `completed`, `failed` or `cancelled`; look at its status.
   * @throws ParallaxError `timeout`, with `executionId` among its details: it goes on, and can be asked for.
   */
  run(run: Run): Promise<Execution>;
  /** @throws ParallaxError `execution_not_found` */
  get(id: string, options?: CallOptions): Promise<Execution>;
  /** one page, newest first. */
  list(query?: ListExecutionsQuery & CallOptions): Promise<ExecutionPage>;
  /** All pages. */
  all(query?: ListExecutionsQuery & CallOptions): AsyncGenerator<Execution, void, undefined>;
  cancel(id: string, options?: CallOptions): Promise<Execution>;
  /** Runs it again, as a new execution whose `retryOf` names this one. Safe to repeat, as `submit` is. */
  retry(id: string, options?: CallOptions & Pick<Submission, "idempotencyKey">): Promise<Execution>;
  /** What happened and happens to it; ends with a snapshot of its final state. */
  events(id: string, options?: EventOptions): AsyncGenerator<StreamEvent, void, undefined>;
}

export function createExecutions(requester: Requester): Executions {
  const { clock, random } = requester.settings;

  async function submit(submission: Submission, waitMs = 0): Promise<Execution> {
    const { pattern, input = null, options = {}, idempotencyKey = randomId("idem_", random) } = submission;
    return requester.call({
      ...signalOf(submission),
      what: "submitting an execution",
      operation: submitExecution,
      input: {
        query: { wait: waitMs > 0 ? `${Math.ceil(waitMs)}ms` : undefined },
        headers: { "Idempotency-Key": idempotencyKey },
        body: { pattern, input, options },
      },
      repeatable: true,
      waitMs,
    });
  }

  /** Repeats the submission under its key until its answer is final: each request waits at whichever node takes it. */
  async function run(options: Run): Promise<Execution> {
    const submission = { ...options, idempotencyKey: options.idempotencyKey ?? randomId("idem_", random) };
    const limitMs = parseDuration(options.timeout ?? 300_000);
    const startedAt = clock.now();
    let accepted: Execution | undefined;
    for (;;) {
      const askedAt = clock.now();
      const waitMs = Math.min(longestWaitMs, Math.max(1, limitMs - (askedAt - startedAt)));
      try {
        accepted = await submit(submission, waitMs);
        if (isFinal(accepted.status)) return accepted;
      } catch (error) {
        // Once it is accepted it goes on, whoever can be reached for a while.
        if (!accepted || !isAway(error)) throw error;
      }
      if (clock.now() - startedAt >= limitMs) throw waitedTooLong(accepted, limitMs);
      // A node that drains ends its waits early: don't ask in a tight loop.
      if (clock.now() - askedAt < waitMs / 2) await clock.sleep(250 + random.next() * 500, options.signal);
    }
  }

  function list({ signal, ...query }: ListExecutionsQuery & CallOptions = {}): Promise<ExecutionPage> {
    const base = {
      what: "listing executions",
      operation: listExecutions,
      input: { query },
      repeatable: true,
    };
    return requester.call({ ...base, ...signalOf({ signal }) });
  }

  return {
    submit: (submission) => submit(submission),
    run,
    get(id, options = {}) {
      const what = `reading the execution ${id}`;
      const base = { what, operation: getExecution, input: { params: { id } }, repeatable: true };
      return requester.call({ ...base, ...signalOf(options) });
    },
    list,
    all: (query = {}) =>
      allPages(
        query.cursor,
        (cursor) => list({ ...query, cursor }),
        (page) => page.executions,
      ),
    cancel(id, options = {}) {
      const what = `cancelling the execution ${id}`;
      const base = { what, operation: cancelExecution, input: { params: { id } }, repeatable: true };
      return requester.call({ ...base, ...signalOf(options) });
    },
    retry(id, { idempotencyKey = randomId("idem_", random), ...options } = {}) {
      const what = `running the execution ${id} again`;
      const input = { params: { id }, headers: { "Idempotency-Key": idempotencyKey } };
      return requester.call({
        what,
        operation: retryExecution,
        input,
        repeatable: true,
        ...signalOf(options),
      });
    },
    events(id, options = {}) {
      const isLast = (event: StreamEvent): boolean =>
        event.kind === "snapshot" && isFinal(event.execution.status);
      const what = `following the execution ${id}`;
      const { path } = requestOf(streamExecutionEvents, { params: { id } });
      return streamEvents(requester, { ...options, what, path, isLast });
    },
  };
}

/** Nobody answered, or whoever did is draining, full, or without its store. */
function isAway(error: unknown): boolean {
  if (!isParallaxError(error)) return false;
  const status = error.details?.status;
  return (
    error.code === "unreachable" || error.code === "timeout" || (typeof status === "number" && isBusy(status))
  );
}

function waitedTooLong(execution: Execution, limitMs: number): ParallaxError<"timeout"> {
  const { id: executionId, status } = execution;
  const message = `waiting for the execution ${executionId}: it is still ${status} after ${limitMs} ms; it goes on, ask for it later`;
  return new ParallaxError("timeout", message, { details: { executionId, status } });
}
