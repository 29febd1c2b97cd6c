import { executionIdSchema, type SubmitExecution } from "@parallax/protocol";
import { describe, expect, it } from "vitest";
import {
  assertSameRequest,
  type Draft,
  draftExecution,
  type Submission,
} from "../../src/executions/submission.ts";
import { definitionOf, startMs } from "../support/records.ts";

const context = { nodeId: "node-1", owner: "node-1#i", nowMs: startMs, defaultTimeoutMs: 60_000 };
const request: SubmitExecution = { pattern: "p", input: { a: 1, b: 2 }, options: {} };

function draft(changes: Partial<Submission> = {}): Draft {
  return draftExecution({ request, definition: definitionOf(), caller: "caller", ...changes }, context);
}

describe("drafting an execution", () => {
  it("makes a pending record with a task for each agent, owned by who will drive it", () => {
    const { id, record } = draft({ definition: definitionOf({ agents: { min: 2, max: 3 } }) });
    expect(record).toMatchObject({
      status: "pending",
      pattern: "p",
      nodeId: "node-1",
      owner: "node-1#i",
      input: { a: 1, b: 2 },
      createdAt: "2026-01-01T00:00:00.000Z",
      deadlineAtMs: startMs + 60_000,
      adoptions: 0,
    });
    expect(record.tasks).toEqual(
      [0, 1, 2].map((index) => ({ id: `${id}:${index}`, status: "waiting", assignments: [], failures: 0 })),
    );
  });

  it("journals the definition that it was accepted with, options included (X9)", () => {
    const definition = definitionOf({ timeout: "10s", retries: 1 });
    const options = { timeout: "5s", retries: 4 };
    const { record } = draft({ definition, request: { ...request, options } });
    expect(record.definition).toEqual({ ...definition, timeout: "5s", retries: 4 });
    expect(record.deadlineAtMs).toBe(startMs + 5000);
  });

  it("journals the content of the function that it is aggregated with (X9)", () => {
    expect(draft({ functionHash: "f" }).record.functionHash).toBe("f");
    expect(draft().record).not.toHaveProperty("functionHash");
  });

  it("takes the pattern's own time limit where the options say nothing", () => {
    const { record } = draft({ definition: definitionOf({ timeout: "10s" }) });
    expect(record.deadlineAtMs).toBe(startMs + 10_000);
  });

  it("gives a random id without an idempotency key", () => {
    const { id } = draft();
    expect(executionIdSchema.safeParse(id).success).toBe(true);
    expect(draft().id).not.toBe(id);
  });

  it("derives the id from caller and key, so that a repetition meets the first on any node", () => {
    const { id } = draft({ idempotencyKey: "k" });
    expect(executionIdSchema.safeParse(id).success).toBe(true);
    expect(draft({ idempotencyKey: "k" }).id).toBe(id);
    expect(draft({ idempotencyKey: "k2" }).id).not.toBe(id);
    expect(draft({ idempotencyKey: "k", caller: "another" }).id).not.toBe(id);
    // The pair must not be confused with another pair that is the same text.
    expect(draft({ idempotencyKey: "k", caller: "ab" }).id).not.toBe(
      draft({ idempotencyKey: "bk", caller: "a" }).id,
    );
  });
});

describe("a repetition under the same key", () => {
  const first = draft({ idempotencyKey: "k" });
  const repeat = (changes: Partial<Submission>): Draft => draft({ idempotencyKey: "k", ...changes });

  it("is the same request whatever the order of its keys", () => {
    const reordered = { ...request, input: { b: 2, a: 1 } };
    expect(() => assertSameRequest(first.record, repeat({ request: reordered }))).not.toThrow();
  });

  it.each<[string, Partial<Submission>]>([
    ["input", { request: { ...request, input: { a: 1 } } }],
    ["pattern", { request: { ...request, pattern: "q" } }],
    ["options", { request: { ...request, options: { retries: 1 } } }],
    ["execution to run again", { retryOf: "exec_1" }],
  ])("is refused with another %s, naming the execution", (_, changes) => {
    expect(() => assertSameRequest(first.record, repeat(changes))).toThrow(
      expect.objectContaining({ code: "idempotency_key_reused", details: { executionId: first.id } }),
    );
  });
});
