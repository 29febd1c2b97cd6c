// pnpm sim [--seeds 1000] [--seed 1] [--workers 2] [--until-broken]: plays histories in worker threads, merges what they report.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { z } from "zod";
import { addHistory, emptyReport, merge, missingRows, printed, type Report, reportSchema } from "./report.ts";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";
import { storyOf } from "./story.ts";

/** So many histories a worker is given at once. */
const portion = 10;
/** From so many on, each row must have occurred. */
const enough = 5000;

const portionSchema = z.object({ first: z.number(), count: z.number() });

async function play({ first, count }: z.infer<typeof portionSchema>): Promise<Report> {
  const report = emptyReport();
  for (let seed = first; seed < first + count; seed += 1)
    addHistory(report, await simulate(scenarioOf(seed), report.counts), seed);
  return report;
}

async function share(first: number, count: number, workers: number, untilBroken: boolean): Promise<Report> {
  const total = emptyReport();
  let next = first;

  async function employ(worker: Worker): Promise<void> {
    try {
      while (next < first + count && !(untilBroken && total.broken.length > 0)) {
        const some = { first: next, count: Math.min(portion, first + count - next) };
        next += some.count;
        worker.postMessage(some);
        const report = await new Promise<unknown>((resolve, reject) => {
          worker.removeAllListeners();
          worker.once("message", resolve).once("error", reject);
        });
        merge(total, reportSchema.parse(report));
      }
    } finally {
      await worker.terminate();
    }
  }

  const path = fileURLToPath(import.meta.url);
  await Promise.all(
    Array.from({ length: workers }, () =>
      employ(new Worker(path, { resourceLimits: { maxYoungGenerationSizeMb: 128 } })),
    ),
  );
  return total;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      workers: { type: "string" },
      "until-broken": { type: "boolean", default: false },
    },
  });
  if (values.seed !== undefined && values.seeds === undefined) {
    const { lines, broken } = await storyOf(Number(values.seed));
    console.log(lines.join("\n"));
    process.exitCode = broken ? 1 : 0;
    return;
  }
  const seeds = Number(values.seeds ?? 1000);
  const first = Number(values.seed ?? 1);
  const workers = Number(values.workers ?? Math.min(availableParallelism(), Math.ceil(seeds / portion)));
  const startedMs = performance.now();
  const report = await share(first, seeds, workers, values["until-broken"]);
  const seconds = (performance.now() - startedMs) / 1000;
  const missing = report.histories >= enough ? missingRows(report.counts) : [];
  console.log(printed(report, { first, seconds, workers }));
  for (const what of missing) console.log(`never happened: ${what}`);
  process.exitCode = report.broken.length + missing.length === 0 ? 0 : 1;
}

// Errors are an ordinary outcome here, and their stacks are dear.
Error.stackTraceLimit = 0;

if (isMainThread) await main();
else
  parentPort?.on("message", (message: unknown) => {
    void play(portionSchema.parse(message)).then((report) => parentPort?.postMessage(report));
  });
