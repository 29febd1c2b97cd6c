import { type Clock, isParallaxError, ParallaxError } from "@parallax/core";
import type {
  Execution,
  ExecutionPage,
  ListExecutionsQuery,
  PatternDefinition,
  SubmitExecution,
} from "@parallax/protocol";
import type { Collection, CreateOutcome, ListOptions, Stored } from "@parallax/state-store";
import type { Owner } from "../peers.ts";
import type { StoreTime } from "../store-time.ts";
import type { Finals } from "./finals.ts";
import { readInbox } from "./inbox.ts";
import { eventOf } from "./journal.ts";
import type { Ownership } from "./ownership.ts";
import { type ExecutionRecord, isFinal } from "./record.ts";
import type { Schemas } from "./schemas.ts";
import { assertSameRequest, type Draft, draftExecution, type Submission } from "./submission.ts";
import { viewOf } from "./view.ts";

export interface CatalogOptions {
  readonly executions: Collection<ExecutionRecord>;
  readonly ownership: Ownership;
  readonly finals: Finals;
  readonly clock: Clock;
  readonly storeTime: Pick<StoreTime, "now">;
  readonly schemas: Schemas;
  /** @throws ParallaxError `pattern_not_found` */
  readonly pattern: (
    name: string,
  ) => Promise<{ readonly definition: PatternDefinition; readonly functionHash: string | undefined }>;
  /** Who owns what is created now. @throws ParallaxError `draining`, `not_ready` when no node takes it. */
  readonly chooseOwner: (functionHash: string | undefined) => Owner;
  readonly nodeId: string;
  /** Tells another node that it was given an execution. */
  readonly tellOwner: (nodeId: string) => void;
  readonly defaultTimeoutMs: number;
}

/** Executions as the API sees them: any node answers for all of them. */
export interface Catalog {
  /**
   * Journals the execution, then answers. `created` is false for a repetition under the same idempotency key.
   * @throws ParallaxError `pattern_not_found`, `invalid_input`, `idempotency_key_reused`, `draining`,
   *   `not_ready`, `outcome_unknown`
   */
  submit(
    submission: Omit<Submission, "definition">,
  ): Promise<{ readonly execution: Execution; readonly created: boolean }>;
  /** @throws ParallaxError `execution_not_found` */
  get(id: string): Promise<Execution>;
  list(query: ListExecutionsQuery): Promise<ExecutionPage>;
  /** Waits until it has ended, for at most `timeoutMs`; then as it is. @throws ParallaxError `execution_not_found` */
  wait(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Execution>;
  /** @throws ParallaxError `execution_not_found`, `execution_finished` */
  cancel(id: string): Promise<Execution>;
  /** Runs it again as a new execution. @throws ParallaxError `execution_not_found`, `execution_open` */
  retry(
    id: string,
    caller: string,
    idempotencyKey: string | undefined,
    traceparent?: string,
  ): Promise<Execution>;
}

/** How long `cancel` waits for the owner to note it, in ms. */
const cancelWaitMs = 5000;

export function createCatalog(options: CatalogOptions): Catalog {
  const { executions, ownership, finals, schemas, storeTime, nodeId, defaultTimeoutMs } = options;

  async function read(id: string): Promise<Stored<ExecutionRecord>> {
    const stored = await executions.get(id);
    if (stored) return stored;
    throw new ParallaxError(
      "execution_not_found",
      `reading execution ${id}: there is none, or no longer; check the id`,
    );
  }

  async function createAt(target: string, { id, record }: Draft): Promise<CreateOutcome<ExecutionRecord>> {
    const known = await ownership.recall(id);
    if (known) return { outcome: "exists", record: known };
    if (target === nodeId) return ownership.create(id, record);
    const created = await executions.create(id, record, { event: eventOf(id, record) });
    if (created.outcome === "created") options.tellOwner(target);
    return created;
  }

  const catalog: Catalog = {
    async submit(submission) {
      const { definition, functionHash } = await options.pattern(submission.request.pattern);
      schemas.assertInput(definition, submission.request.input);
      const { nodeId: target, owner } = options.chooseOwner(functionHash);
      const draft = draftExecution(
        { ...submission, definition, functionHash },
        { nodeId: target, owner, nowMs: storeTime.now(), defaultTimeoutMs },
      );
      const result = await createAt(target, draft).catch((error: unknown) => refuseNamingId(draft.id, error));
      if (result.outcome === "exists") {
        assertSameRequest(result.record.value, draft);
        return { execution: viewOf(draft.id, result.record.value), created: false };
      }
      if (result.outcome === "fenced")
        throw new ParallaxError("conflict", "submitting an execution: try again");
      return { execution: viewOf(draft.id, draft.record), created: true };
    },
    async get(id) {
      const [stored, inbox] = await Promise.all([read(id), executions.inbox(id)]);
      return viewOf(id, stored.value, readInbox(inbox));
    },
    async list(query) {
      const page = await executions.list(indexFor(query));
      const matching = page.records.filter(({ value }) => matches(value, query));
      return {
        executions: matching.map(({ id, value }) => viewOf(id, value)),
        ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
      };
    },
    async wait(id, timeoutMs, signal) {
      const isOver = async (): Promise<boolean> => isFinal((await read(id)).value.status);
      await finals.wait(id, isOver, timeoutMs, signal);
      return catalog.get(id);
    },
    async cancel(id) {
      await read(id);
      const receipt = await ownership.cancel(id, "cancelled on request");
      if (receipt === "superseded") {
        throw new ParallaxError(
          "execution_finished",
          `cancelling execution ${id}: it has already ended; nothing is left to cancel`,
        );
      }
      return catalog.wait(id, cancelWaitMs);
    },
    async retry(id, caller, idempotencyKey, traceparent) {
      const { value } = await read(id);
      if (!isFinal(value.status)) {
        throw new ParallaxError(
          "execution_open",
          `retrying execution ${id}: it is still ${value.status}; cancel it or wait for its end`,
        );
      }
      const { pattern, input = null, options: wanted = {} } = value;
      const request: SubmitExecution = { pattern, input, options: wanted };
      const submission = { request, caller, idempotencyKey, retryOf: id, traceparent };
      return (await catalog.submit(submission)).execution;
    },
  };
  return catalog;
}

/** After these a create may have worked: the primary may have it, or have it without its replicas. */
const unknownOutcome = ["timeout", "redis_unavailable", "not_replicated"];

/** The caller of a create of unknown outcome learns the id under which it can look (attack A2). */
function refuseNamingId(id: string, error: unknown): never {
  if (!unknownOutcome.some((code) => isParallaxError(error, code))) throw error;
  const message = `submitting execution ${id}: the store did not answer, so it may or may not exist; look for it, or repeat with the same Idempotency-Key`;
  throw new ParallaxError("outcome_unknown", message, { cause: error, details: { executionId: id } });
}

/** The index that narrows most: a node or a pattern has more records than an open status, fewer than `completed`. */
function indexFor(query: ListExecutionsQuery): ListOptions<ExecutionRecord> {
  const { status, node, pattern, limit = 100, cursor } = query;
  const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
  if (status !== undefined) return { ...page, index: "status", value: status };
  if (node !== undefined) return { ...page, index: "nodeId", value: node };
  if (pattern !== undefined) return { ...page, index: "pattern", value: pattern };
  return page;
}

function matches(record: ExecutionRecord, { status, node, pattern }: ListExecutionsQuery): boolean {
  return (
    (status === undefined || record.status === status) &&
    (node === undefined || record.nodeId === node) &&
    (pattern === undefined || record.pattern === pattern)
  );
}
