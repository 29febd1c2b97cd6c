import type { Clock } from "@parallax/core";
import { createEventBus, type EventBus } from "@parallax/event-bus";
import { type MemoryEventLogSpace, memoryEventLogSpace, memoryTopicLog } from "@parallax/event-bus/memory";
import type { PatternDefinition } from "@parallax/protocol";
import { createStateStore, type StateStore } from "@parallax/state-store";
import { type MemoryRecordSpace, memoryRecordBackend, memoryRecordSpace } from "@parallax/state-store/memory";
import { type Collections, openCollections } from "../../src/collections.ts";
import type { ExecutionRecord, Task } from "../../src/executions/record.ts";

/** When the tests begin, store time. */
export const startMs: number = Date.UTC(2026, 0, 1);

export function definitionOf(changes: Partial<PatternDefinition> = {}): PatternDefinition {
  return {
    name: "p",
    capabilities: ["c"],
    agents: { min: 1, max: 1 },
    retries: 0,
    aggregate: { strategy: "majority" },
    ...changes,
  };
}

/** A task that waits, or is what `changes` make of it. */
export function taskOf(id: string, changes: Partial<Task> = {}): Task {
  return { id, status: "waiting", assignments: [], failures: 0, ...changes };
}

/** An execution as it is created: pending, owned by `node-0#a`, 30 s to go. */
export function recordOf(id: string, changes: Partial<ExecutionRecord> = {}): ExecutionRecord {
  const definition = changes.definition ?? definitionOf();
  return {
    status: "pending",
    pattern: definition.name,
    nodeId: "node-0",
    owner: "node-0#a",
    input: "input",
    tasks: Array.from({ length: definition.agents.max }, (_, index) => taskOf(`${id}:${index}`)),
    createdAt: new Date(startMs).toISOString(),
    definition,
    deadlineAtMs: startMs + 30_000,
    adoptions: 0,
    requestDigest: "digest",
    ...changes,
  };
}

/** One call of a node to the records: may wait, fail, or lose its answer. */
export type Link = <Result>(run: () => Result) => Promise<Result>;

/** The store and bus of one node, on memory. */
export interface TestStore {
  readonly space: MemoryRecordSpace;
  readonly log: MemoryEventLogSpace;
  readonly store: StateStore;
  readonly bus: EventBus;
  readonly collections: Collections;
  close(): Promise<void>;
}

/** The memory of a cluster, for {@link openTestStore}. */
export type SharedMemory = Pick<TestStore, "space" | "log">;

export function sharedMemory(clock: Clock): SharedMemory {
  const log = memoryEventLogSpace();
  return { log, space: memoryRecordSpace({ log, clock, memory: () => ({ usedBytes: 0, limitBytes: 1 }) }) };
}

export function openTestStore(
  clock: Clock,
  options: { readonly shared?: SharedMemory; readonly link?: Link; readonly timeoutMs?: number } = {},
): TestStore {
  const { shared = sharedMemory(clock), link, timeoutMs = 1000 } = options;
  const bus = createEventBus({ store: memoryTopicLog(shared.log), clock });
  const backend = memoryRecordBackend(shared.space, link ? { link } : {});
  const store = createStateStore({ backend, bus, clock, timeoutMs });
  return {
    ...shared,
    store,
    bus,
    collections: openCollections(store),
    async close() {
      await store.close();
      await bus.close();
    },
  };
}
