import { getHeapStatistics } from "node:v8";
import { type Clock, ParallaxError } from "@parallax/core";
import type { Health } from "@parallax/health";
import type { StateStore } from "@parallax/state-store";
import { redisCheck } from "../watch-health.ts";

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly health: Pick<Health, "snapshot">;
  readonly store: Pick<StateStore, "admits">;
  /** Whether there is a connection to the store: known at once, while the check of whether it answers takes its time. */
  readonly isConnected: () => boolean;
  /** Aborts when the node drains. */
  readonly draining: AbortSignal;
  /** How many executions this node has open. */
  readonly open: () => number;
  readonly maxOpen: number;
  /** Whether the line of tasks that wait for this node's agents is full. */
  readonly isLineFull: () => boolean;
  /** The used share of the memory that this process may have. Default: of V8's heap. */
  readonly memoryShare?: () => number;
}

/** Whether requests are taken at present. */
export interface Admission {
  /** For whatever needs the store. @throws ParallaxError `redis_unavailable` while it is known to be away. */
  assertStore(): void;
  /** For new executions (S7). @throws ParallaxError `not_ready`, `redis_unavailable`, `overloaded`, `store_full` */
  admit(): Promise<void>;
}

/** From this share on a process collects more garbage than it does work. */
const fullShare = 0.85;
/** For how long one look at the memory is good, in ms. */
const memoryCacheMs = 1000;

export function createAdmission(options: AdmissionOptions): Admission {
  const { health, store, isConnected, draining, open, maxOpen, isLineFull } = options;
  const isMemoryFull = createMemoryLook(options);

  function assertStore({ checks } = health.snapshot()): void {
    if (checks[redisCheck]?.status !== "fail") return;
    const message =
      "answering the request: this node can't reach Redis at present; try again in a moment, or ask another node";
    throw new ParallaxError("redis_unavailable", message);
  }

  return {
    assertStore: () => assertStore(),
    async admit() {
      const snapshot = health.snapshot();
      if (snapshot.state === "starting")
        throw refusal("not_ready", "this node is still starting; try again in a moment");
      assertStore(snapshot);
      if (!isConnected())
        throw refusal(
          "not_ready",
          "this node has no connection to Redis; try again in a moment, or another node",
        );
      // Whoever still comes while the node drains is served by its heirs, which have room or say so themselves.
      if (draining.aborted) return;
      if (open() >= maxOpen)
        throw refusal(
          "overloaded",
          `this node has ${maxOpen} open executions; try again later, or another node`,
        );
      if (isLineFull())
        throw refusal("overloaded", "too many tasks wait for agents; start more agents, or try again later");
      if (isMemoryFull())
        throw refusal("overloaded", "this node is short of memory; try again later, or another node");
      if (!(await store.admits())) {
        const remedy = "free memory, shorten executions.retention, or raise maxmemory";
        throw refusal("store_full", `the store is nearly full; ${remedy}`);
      }
    },
  };
}

function refusal(code: string, message: string): ParallaxError {
  return new ParallaxError(code, `submitting an execution: ${message}`);
}

function createMemoryLook({ clock, memoryShare = shareOfHeap }: AdmissionOptions): () => boolean {
  let full = false;
  let lookAgainMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.now() >= lookAgainMs) {
      lookAgainMs = clock.now() + memoryCacheMs;
      full = memoryShare() > fullShare;
    }
    return full;
  };
}

function shareOfHeap(): number {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return used_heap_size / heap_size_limit;
}
