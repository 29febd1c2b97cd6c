import { z } from "zod";
import { durationSchema } from "../scalars.ts";

/**
 * How the results of an execution's tasks become one result. Results are equal when their canonical JSON is: the order of an
 * object's keys does not matter.
 */
export type Aggregation =
  /** The result that most agents gave; of several, the one with the higher summed confidence, then the earliest task's. */
  | { readonly strategy: "majority" }
  /** As `majority`, each vote weighted by its confidence (1 if there is none) times its agent's weight. */
  | {
      readonly strategy: "weighted";
      /** By the agent's name. Default 1 each. */
      readonly weights?: Readonly<Record<string, number>> | undefined;
    }
  /** Completes as soon as `quorum` agents gave equal results; fails with `no_quorum` once that cannot happen any more. */
  | { readonly strategy: "quorum"; readonly quorum: number }
  /** The first result; the other tasks are cancelled. */
  | { readonly strategy: "first" }
  /** Every result, as a list in the order of the tasks. */
  | { readonly strategy: "all" }
  /** The mean or the median of numbers. */
  | { readonly strategy: "mean" | "median"; readonly field?: string | undefined }
  /** The result with the highest confidence (none counts as 0), of several the earliest task's. */
  | { readonly strategy: "best-confidence" }
  /** What a function of the user makes of them, in a worker with limits of time and memory (X7). */
  | {
      readonly strategy: "function";
      /** A module in the directory of the patterns: its default export is called with the results. */
      readonly module: string;
      readonly timeout?: string | number | undefined;
    };

/** The name of an {@link Aggregation}. */
export type AggregationStrategy = Aggregation["strategy"];

function numeric<Strategy extends "mean" | "median">(
  strategy: Strategy,
): z.ZodObject<{ strategy: z.ZodLiteral<Strategy>; field: z.ZodOptional<z.ZodString> }, z.core.$strict> {
  const field = z.string().min(1).max(256).optional().meta({
    description: "The field of the results that holds the number. Default: the results are numbers.",
  });
  return z.strictObject({ strategy: z.literal(strategy), field });
}

const majority = z.strictObject({ strategy: z.literal("majority") });
const weighted = z.strictObject({
  strategy: z.literal("weighted"),
  weights: z.record(z.string(), z.number().min(0)).optional(),
});
const quorum = z.strictObject({ strategy: z.literal("quorum"), quorum: z.int().min(1) });
const first = z.strictObject({ strategy: z.literal("first") });
const all = z.strictObject({ strategy: z.literal("all") });
const mean = numeric("mean");
const median = numeric("median");
const bestConfidence = z.strictObject({ strategy: z.literal("best-confidence") });
const userFunction = z.strictObject({
  strategy: z.literal("function"),
  module: z
    .string()
    .regex(/^[\w-]+(?:\/[\w-]+)*\.m?js$/)
    .max(256)
    .meta({ description: "A path below the directory of the patterns.", examples: ["merge-labels.js"] }),
  timeout: durationSchema.optional(),
});

/** Checks an {@link Aggregation}. */
export const aggregationSchema: z.ZodType<Aggregation> = z
  .discriminatedUnion("strategy", [
    majority,
    weighted,
    quorum,
    first,
    all,
    mean,
    median,
    bestConfidence,
    userFunction,
  ])
  .meta({ id: "Aggregation", description: "How the results of the tasks become one result." });

/** As a node or a newer version has written it: what this version does not know is dropped, not refused. */
export const writtenAggregationSchema: z.ZodType<Aggregation> = z.discriminatedUnion("strategy", [
  majority.strip(),
  weighted.strip(),
  quorum.strip(),
  first.strip(),
  all.strip(),
  mean.strip(),
  median.strip(),
  bestConfidence.strip(),
  userFunction.strip(),
]);
