import { Worker } from "node:worker_threads";
import type { CancelTimer, Clock } from "@parallax/core";
import { z } from "zod";
import type { Answer } from "./aggregation.ts";
import { workerSource } from "./function-worker.ts";

/** A function of the user: a module that needs no other file, known by the hash of its text (X9). */
export interface UserFunction {
  readonly hash: string;
  readonly source: string;
}

/** How a call ended. Whatever the function does, there is an outcome (X7). */
export type FunctionOutcome =
  | { readonly outcome: "returned"; readonly result: unknown }
  | { readonly outcome: "failed"; readonly code: FunctionFailure; readonly message: string };

export type FunctionFailure = "function_failed" | "function_timeout" | "function_out_of_memory";

/** Runs functions of users in worker threads with limits of time and memory. */
export interface FunctionRunner {
  run(wanted: UserFunction, answers: readonly Answer[], timeoutMs: number): Promise<FunctionOutcome>;
  close(): Promise<void>;
}

export interface FunctionRunnerOptions {
  readonly clock: Clock;
  /** Heap of one worker. Default 64 MiB. */
  readonly memoryMiB?: number;
  /** How many calls run at once; the others wait their turn, which counts against no limit. Default 2. */
  readonly maxWorkers?: number;
}

/** How much the whole process may grow while functions run: buffers don't count as a worker's heap. */
const maxGrowthBytes = 512 * 1024 * 1024;
const watchEveryMs = 25;

const replySchema = z.union([
  z.object({ json: z.string(), error: z.undefined().optional() }),
  z.object({ error: z.string() }),
]);

interface Place {
  readonly hash: string;
  readonly worker: Worker;
  hasEnded: boolean;
}

export function createFunctionRunner(options: FunctionRunnerOptions): FunctionRunner {
  const { clock, memoryMiB = 64, maxWorkers = 2 } = options;
  let idle: Place[] = [];
  const waiting: (() => void)[] = [];
  let taken = 0;

  async function turn(): Promise<void> {
    if (taken >= maxWorkers) await new Promise<void>((resolve) => waiting.push(resolve));
    else taken += 1;
  }

  function next(): void {
    const go = waiting.shift();
    if (go) go();
    else taken -= 1;
  }

  function placeFor({ hash, source }: UserFunction): Place {
    const known = idle.find((place) => place.hash === hash);
    if (known) {
      idle = idle.filter((place) => place !== known);
      return known;
    }
    const worker = new Worker(workerSource, {
      eval: true,
      workerData: { source },
      // The node's environment holds its secrets.
      env: {},
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    });
    worker.unref();
    worker.stdout.resume();
    worker.stderr.resume();
    // Between two calls nobody listens, and an error without a listener would end the node.
    worker.on("error", () => {});
    const place: Place = { hash, worker, hasEnded: false };
    // One that died between two calls answers none.
    worker.once("exit", () => {
      place.hasEnded = true;
      idle = idle.filter((other) => other !== place);
    });
    return place;
  }

  /** A worker that has answered is kept for the next call, the others of its size are ended. */
  function keep(place: Place): void {
    // Its last answer and its end may come together.
    if (place.hasEnded) return;
    idle.push(place);
    while (idle.length > maxWorkers) void idle.shift()?.worker.terminate();
  }

  async function call(place: Place, answers: readonly Answer[], timeoutMs: number): Promise<FunctionOutcome> {
    const { worker } = place;
    const timers: CancelTimer[] = [];
    let onError: (error: NodeJS.ErrnoException) => void = () => {};
    let onExit: () => void = () => {};
    let onMessage: (message: unknown) => void = () => {};
    const startedBytes = process.memoryUsage.rss();
    const outcome = await new Promise<FunctionOutcome>((resolve) => {
      const fail = (code: FunctionFailure, message: string): void =>
        resolve({ outcome: "failed", code, message });
      timers.push(
        clock.after(timeoutMs, () => fail("function_timeout", `it took longer than ${timeoutMs} ms`)),
        clock.every(watchEveryMs, () => {
          if (process.memoryUsage.rss() - startedBytes > maxGrowthBytes)
            fail("function_out_of_memory", "the node's memory grew too much while it ran");
        }),
      );
      onError = (error) => {
        if (error.code === "ERR_WORKER_OUT_OF_MEMORY")
          fail("function_out_of_memory", `it needed more than ${memoryMiB} MiB`);
        else fail("function_failed", error.message);
      };
      onExit = () => fail("function_failed", "it ended its worker");
      onMessage = (message) => {
        const reply = replySchema.safeParse(message);
        if (!reply.success) fail("function_failed", "it answered by itself, past its return value");
        else if (reply.data.error === undefined)
          resolve({ outcome: "returned", result: JSON.parse(reply.data.json) });
        else fail("function_failed", reply.data.error);
      };
      worker.on("error", onError).on("exit", onExit).on("message", onMessage);
      worker.postMessage({ answers });
    });
    for (const cancel of timers) cancel();
    worker.off("error", onError).off("exit", onExit).off("message", onMessage);
    return outcome;
  }

  return {
    async run(wanted, answers, timeoutMs) {
      await turn();
      try {
        const place = placeFor(wanted);
        const outcome = await call(place, answers, timeoutMs);
        if (outcome.outcome === "returned") keep(place);
        else await place.worker.terminate();
        return outcome;
      } finally {
        next();
      }
    },
    async close() {
      await Promise.all(idle.map(({ worker }) => worker.terminate()));
      idle = [];
    },
  };
}
