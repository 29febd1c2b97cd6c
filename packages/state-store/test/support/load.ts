import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Collection, StateStore } from "../../src/collection.ts";

/** Counts its additions; `last` is the token of the newest. */
export type Counter = { readonly status: "a" | "b"; readonly total: number; readonly last: string };

const schema: z.ZodType<Counter> = z.object({
  status: z.enum(["a", "b"]),
  total: z.number(),
  last: z.string(),
});

/** What became of one increment. `unknown`: it was refused an answer. */
export interface Increment {
  readonly id: string;
  readonly token: string;
  readonly outcome: "ok" | "unknown" | "failed";
  readonly error?: unknown;
}

export interface Load {
  readonly counters: Collection<Counter>;
  readonly increments: readonly Increment[];
  /** Ends it, and resolves when every increment under way has its outcome. */
  stop(): Promise<void>;
  /** Resolves once that many more increments were acknowledged. Rejects with the first that failed: nothing goes on after it. */
  acknowledge(count: number): Promise<void>;
}

export function openCounters(store: StateStore): Collection<Counter> {
  return store.collection({ name: "counter", schema, indexes: ["status"], topic: "counter" });
}

/**
 * Writers that add one to counters, each addition conditioned on the version that was read and carrying an event with a token
 * of its own: whatever is applied twice shows in the events, and whatever is lost in the totals.
 */
export async function startLoad(
  store: StateStore,
  options: { readonly counters: number; readonly writers: number; readonly replicas?: number },
): Promise<Load> {
  const { replicas = 0 } = options;
  const counters = openCounters(store);
  const ids = Array.from({ length: options.counters }, (_, at) => `c${at}`);
  const increments: Increment[] = [];
  let running = true;
  let waiting: {
    readonly count: number;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }[] = [];

  function note(increment: Increment): void {
    increments.push(increment);
    if (increment.outcome === "failed") {
      running = false;
      for (const { reject } of waiting) reject(increment.error);
    }
    const acknowledged = increments.filter(({ outcome }) => outcome === "ok").length;
    for (const { count, resolve } of waiting) if (acknowledged >= count) resolve();
    waiting = waiting.filter(({ count }) => acknowledged < count);
  }

  async function increment(id: string): Promise<void> {
    const token = randomBytes(6).toString("hex");
    try {
      const record = await counters.get(id);
      if (!record) return note({ id, token, outcome: "failed", error: new Error("the counter is gone") });
      const { total } = record.value;
      const result = await counters.update(
        id,
        { set: { total: total + 1, status: total % 2 ? "a" : "b", last: token } },
        { version: record.version, event: { type: "added", token }, replicas },
      );
      if (result.outcome === "ok") note({ id, token, outcome: "ok" });
    } catch (error) {
      const unknown = error instanceof Error && "code" in error;
      const code = unknown ? error.code : undefined;
      note({
        id,
        token,
        outcome: code === "timeout" || code === "not_replicated" ? "unknown" : "failed",
        error,
      });
    }
  }

  await Promise.all(ids.map((id) => counters.create(id, { status: "a", total: 0, last: "" }, { replicas })));
  const writers = Array.from({ length: options.writers }, async (_, writer) => {
    for (let step = writer; running; step += 1) await increment(ids[step % ids.length] ?? "c0");
  });
  return {
    counters,
    increments,
    async stop() {
      running = false;
      await Promise.all(writers);
    },
    acknowledge(count) {
      const wanted = increments.filter(({ outcome }) => outcome === "ok").length + count;
      const failed = increments.find(({ outcome }) => outcome === "failed");
      if (failed) return Promise.reject(failed.error);
      return new Promise((resolve, reject) => waiting.push({ count: wanted, resolve, reject }));
    },
  };
}
