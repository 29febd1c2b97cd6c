import { noopLogger, ParallaxError, seededRandom } from "@parallax/core";
import type { PatternDefinition, SubmitExecution } from "@parallax/protocol";
import { createVirtualClock, type VirtualClock } from "@parallax/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Catalog, createCatalog } from "../../src/executions/catalog.ts";
import { createFinals, type Finals } from "../../src/executions/finals.ts";
import { createJournal } from "../../src/executions/journal.ts";
import { createOwnership, type Ownership } from "../../src/executions/ownership.ts";
import { createSchemas } from "../../src/executions/schemas.ts";
import { untraced } from "../../src/observe/traced-work.ts";
import type { Owner } from "../../src/peers.ts";
import { createStoreTime } from "../../src/store-time.ts";
import { definitionOf, openTestStore, recordOf, startMs, type TestStore } from "../support/records.ts";

const request: SubmitExecution = { pattern: "p", input: "in", options: {} };

describe("the catalog of executions", () => {
  let clock: VirtualClock;
  let at: TestStore;
  let ownership: Ownership;
  let finals: Finals;
  let catalog: Catalog;
  let pattern: PatternDefinition;
  let owner: Owner;
  let told: string[];
  let answersAreLost: boolean;

  beforeEach(() => {
    clock = createVirtualClock({ startWallMs: startMs });
    [told, answersAreLost] = [[], false];
    pattern = definitionOf();
    owner = { nodeId: "node-0", owner: "node-0#a", functions: [] };
    at = openTestStore(clock, {
      link: async (run) => {
        const result = run();
        if (answersAreLost) throw new ParallaxError("timeout", "the answer was lost");
        return result;
      },
    });
    const { executions } = at.collections;
    const storeTime = createStoreTime(clock, startMs);
    const base = {
      executions,
      clock,
      storeTime,
      random: seededRandom(1),
      logger: noopLogger,
      nodeId: "node-0",
    };
    const schemas = createSchemas();
    ownership = createOwnership({
      ...base,
      owner: () => "node-0#a",
      journal: createJournal({ ...base, retentionMs: 60_000 }),
      schemas,
      aggregator: { run: async () => undefined },
      hasFunction: () => false,
      whoHas: () => undefined,
      broker: { seek: () => () => {}, release: () => {} },
      courier: { deliver: () => {}, cancel: () => {} },
      reconnectGraceMs: 30_000,
      send: () => {},
      onFinished: () => {},
      tracing: untraced,
    });
    finals = createFinals({ bus: at.bus, clock, topic: "execution" });
    catalog = createCatalog({
      ...base,
      ownership,
      finals,
      schemas,
      pattern: async () => ({ definition: pattern, functionHash: undefined }),
      chooseOwner: () => owner,
      tellOwner: (nodeId) => void told.push(nodeId),
      defaultTimeoutMs: 60_000,
    });
  });
  afterEach(async () => {
    answersAreLost = false;
    ownership.dropAll();
    finals.close();
    await at.close();
  });

  const submit = (changes: Partial<SubmitExecution> = {}, idempotencyKey?: string) =>
    catalog.submit({ request: { ...request, ...changes }, caller: "c", idempotencyKey });

  it("answers once the execution is journaled, and drives it", async () => {
    const { execution, created } = await submit();
    expect(created).toBe(true);
    expect(execution).toMatchObject({ status: "pending", pattern: "p", input: "in", nodeId: "node-0" });
    expect(await at.collections.executions.get(execution.id)).toBeDefined();
    expect(ownership.open).toBe(1);
  });

  it("keeps the definition that it was accepted with, whatever becomes of the pattern (X9)", async () => {
    const { execution } = await submit();
    pattern = definitionOf({ capabilities: ["another"], retries: 9 });
    const stored = await at.collections.executions.get(execution.id);
    expect(stored?.value.definition).toEqual(definitionOf());
    expect((await submit()).execution.id).not.toBe(execution.id);
  });

  it("gives the same execution for the same key, and refuses the key for another request", async () => {
    const first = await submit({}, "key");
    const again = await submit({}, "key");
    expect(again).toEqual({ execution: first.execution, created: false });
    expect(ownership.open).toBe(1);
    await expect(submit({ input: "other" }, "key")).rejects.toMatchObject({
      code: "idempotency_key_reused",
      details: { executionId: first.execution.id },
    });
  });

  it("gives an execution whose node drains to another one, and tells it", async () => {
    owner = { nodeId: "node-1", owner: "node-1#b", functions: [] };
    const { execution } = await submit();
    expect(execution.nodeId).toBe("node-1");
    expect(told).toEqual(["node-1"]);
    expect(ownership.open).toBe(0);
  });

  it("names the id when it can't tell whether it exists, so that the caller may look (attack A2)", async () => {
    answersAreLost = true;
    const submitting = submit({}, "key");
    const refused = expect(submitting).rejects.toMatchObject({
      code: "outcome_unknown",
      details: { executionId: expect.stringMatching(/^exec_/) },
    });
    await clock.advance(5000);
    await refused;
    answersAreLost = false;
    const { created } = await submit({}, "key");
    expect(created, "it had been made").toBe(false);
    await ownership.reconcile();
    expect(ownership.open, "and its owner finds it").toBe(1);
  });

  it("refuses an input that the pattern's schema does not allow, and makes nothing", async () => {
    pattern = definitionOf({ inputSchema: { type: "number" } });
    await expect(submit()).rejects.toMatchObject({ code: "invalid_input" });
    expect(await at.collections.executions.count()).toBe(0);
  });

  it.each(["get", "cancel", "wait", "retry"] as const)(
    "knows no execution that is not there: %s",
    async (act) => {
      const acts = {
        get: () => catalog.get("exec_9"),
        cancel: () => catalog.cancel("exec_9"),
        wait: () => catalog.wait("exec_9", 10),
        retry: () => catalog.retry("exec_9", "c", undefined),
      };
      await expect(acts[act]()).rejects.toMatchObject({ code: "execution_not_found" });
    },
  );

  it("waits for the end, or tells how it is when the time is over", async () => {
    const { execution } = await submit();
    const early = catalog.wait(execution.id, 1000);
    await clock.advance(1000);
    expect((await early).status).toBe("pending");
    const waiting = catalog.wait(execution.id, 60_000);
    await clock.settle();
    await ownership.cancel(execution.id, "no more");
    expect((await waiting).status).toBe("cancelled");
  });

  it("cancels what is open, and refuses what has ended", async () => {
    const { execution } = await submit();
    expect((await catalog.cancel(execution.id)).status).toBe("cancelled");
    await expect(catalog.cancel(execution.id)).rejects.toMatchObject({ code: "execution_finished" });
  });

  it("runs again what has ended, as a new execution, and not what is open", async () => {
    const { execution } = await submit();
    await expect(catalog.retry(execution.id, "c", undefined)).rejects.toMatchObject({
      code: "execution_open",
    });
    await catalog.cancel(execution.id);
    const again = await catalog.retry(execution.id, "c", "key");
    expect(again).toMatchObject({ status: "pending", retryOf: execution.id, input: "in" });
    expect(again.id).not.toBe(execution.id);
    expect((await catalog.retry(execution.id, "c", "key")).id, "safe to repeat").toBe(again.id);
    expect((await catalog.get(execution.id)).status).toBe("cancelled");
  });

  it("lists by status, node and pattern, newest first, page by page", async () => {
    const { executions } = at.collections;
    for (let index = 0; index < 7; index += 1) {
      const changes = { nodeId: `node-${index % 2}`, pattern: index < 3 ? "p" : "q" };
      await executions.create(`exec_${index}`, recordOf(`exec_${index}`, changes));
      await clock.advance(1);
    }
    const ids = async (query: Parameters<Catalog["list"]>[0]): Promise<string[]> =>
      (await catalog.list(query)).executions.map(({ id }) => id.slice("exec_".length));
    expect(await ids({})).toEqual(["6", "5", "4", "3", "2", "1", "0"]);
    expect(await ids({ node: "node-1" })).toEqual(["5", "3", "1"]);
    expect(await ids({ pattern: "q" })).toEqual(["6", "5", "4", "3"]);
    expect(await ids({ status: "pending", pattern: "q", node: "node-0" })).toEqual(["6", "4"]);
    expect(await ids({ status: "failed" })).toEqual([]);
    const first = await catalog.list({ limit: 4 });
    const second = await catalog.list({ limit: 4, cursor: first.cursor });
    expect([...first.executions, ...second.executions].map(({ id }) => id)).toHaveLength(7);
    expect(second.cursor).toBeUndefined();
    await expect(catalog.list({ cursor: "nonsense" })).rejects.toMatchObject({ code: "invalid_cursor" });
  });
});
