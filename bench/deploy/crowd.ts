import { once } from "node:events";
import { Worker, workerData } from "node:worker_threads";

/** What a thread with a part of the agents says; times are in ms since the epoch. */
export type Said =
  | { readonly type: "started" }
  | { readonly type: "attempt"; readonly atMs: number }
  | { readonly type: "connected"; readonly index: number; readonly nodeId: string }
  | { readonly type: "disconnected"; readonly index: number; readonly code: number }
  | { readonly type: "gave-up"; readonly message: string };

/** What is given to a thread. */
export interface Part {
  readonly url: string;
  readonly count: number;
  /** Between these an agent works on a task, in ms. */
  readonly minWork: number;
  readonly maxWork: number;
  readonly slots: number;
}

/** Agents in threads of their own, as far as this looks at them. */
export interface Crowd {
  /** How many are connected, by node. */
  spread(): Map<string, number>;
  /** When somebody tried to connect, in ms since the epoch. */
  readonly attempts: readonly number[];
  /** How many connections ended, by close code. */
  readonly closes: ReadonlyMap<number, number>;
  readonly gaveUp: readonly string[];
  stop(): Promise<void>;
}

export const epochMs = (): number => performance.timeOrigin + performance.now();

/** The part of this thread. */
export function partOfThread(): Part {
  return workerData;
}

/** Starts agents in `threads` threads of `script`, and waits until all are connected. */
export async function startCrowd(
  script: URL,
  threads: number,
  agents: number,
  part: Omit<Part, "count">,
): Promise<Crowd> {
  const places = new Map<string, string>();
  const attempts: number[] = [];
  const closes = new Map<number, number>();
  const gaveUp: string[] = [];

  function note(thread: number, said: Said): void {
    if (said.type === "attempt") attempts.push(said.atMs);
    else if (said.type === "connected") places.set(`${thread} ${said.index}`, said.nodeId);
    else if (said.type === "disconnected") {
      places.delete(`${thread} ${said.index}`);
      closes.set(said.code, (closes.get(said.code) ?? 0) + 1);
    } else if (said.type === "gave-up") gaveUp.push(said.message);
  }

  const workers: Worker[] = [];
  for (let thread = 0; thread < threads; thread += 1) {
    const count = Math.floor(agents / threads) + (thread < agents % threads ? 1 : 0);
    const worker = new Worker(script, { workerData: { ...part, count } satisfies Part });
    workers.push(worker);
    const started = new Promise<void>((resolve) => {
      worker.on("message", (said: Said) => {
        if (said.type === "started") resolve();
        else note(thread, said);
      });
    });
    await Promise.race([started, once(worker, "error").then(([error]) => Promise.reject(error))]);
  }
  attempts.length = 0;
  return {
    attempts,
    closes,
    gaveUp,
    spread() {
      const spread = new Map<string, number>();
      for (const nodeId of places.values()) spread.set(nodeId, (spread.get(nodeId) ?? 0) + 1);
      return spread;
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
