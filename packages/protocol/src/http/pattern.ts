import { z } from "zod";
import type { ObjectSchema } from "../object-schema.ts";
import { capabilitiesSchema, durationSchema, patternNameSchema, timestampSchema } from "../scalars.ts";
import { type Aggregation, aggregationSchema, writtenAggregationSchema } from "./aggregation.ts";
import { cursorSchema, type PageQuery, pageQuerySchema } from "./page.ts";

/** A pattern: whom to ask, how long, and what to make of the answers. The same in a YAML file and in `PUT /api/patterns/:name`. */
export interface PatternDefinition {
  readonly name: string;
  readonly description?: string | undefined;
  /** An agent must have them all. */
  readonly capabilities: readonly string[];
  /** How many different agents are asked: at least `min`, and up to `max` if that many are free. Default one. */
  readonly agents: { readonly min: number; readonly max: number };
  /** Default: the cluster's `executions.defaultTimeout`. */
  readonly timeout?: string | number | undefined;
  /** How many more attempts a task has after one that failed retryably. Default 0. */
  readonly retries: number;
  readonly aggregate: Aggregation;
  /** A JSON Schema that inputs must satisfy. Default: any input. */
  readonly inputSchema?: Readonly<Record<string, unknown>> | undefined;
  /** A JSON Schema that each task's result must satisfy; another one fails the attempt. Default: any result. */
  readonly resultSchema?: Readonly<Record<string, unknown>> | undefined;
}

const agentCount = z.int().min(1).max(1000);
const jsonSchema = z.record(z.string(), z.unknown());

const shape = {
  name: patternNameSchema,
  description: z.string().max(1024).optional(),
  capabilities: capabilitiesSchema,
  agents: z
    .strictObject({ min: agentCount, max: agentCount })
    .refine(({ min, max }) => min <= max, { path: ["max"], message: "must not be below agents.min" })
    .default({ min: 1, max: 1 })
    .meta({ description: "How many different agents are asked." }),
  timeout: durationSchema.optional(),
  retries: z.int().min(0).max(100).default(0).meta({ description: "Further attempts of each task." }),
  aggregate: aggregationSchema,
  inputSchema: jsonSchema.optional().meta({ description: "A JSON Schema for inputs." }),
  resultSchema: jsonSchema.optional().meta({ description: "A JSON Schema for the result of each task." }),
};

/** Checks a {@link PatternDefinition}. */
export const patternDefinitionSchema: ObjectSchema<PatternDefinition> = z
  .strictObject(shape)
  .refine(({ aggregate, agents }) => aggregate.strategy !== "quorum" || aggregate.quorum <= agents.max, {
    path: ["aggregate", "quorum"],
    message: "must not be above agents.max",
  })
  .meta({ id: "PatternDefinition", description: "Whom to ask, how long, and what to make of the answers." });

/**
 * A definition that a node has taken before. During a rolling upgrade that may be a newer one: what this version does not know
 * is dropped here, and stays where it is stored.
 */
export const writtenPatternDefinitionSchema: ObjectSchema<PatternDefinition> = z.object({
  ...shape,
  agents: z.object({ min: agentCount, max: agentCount }),
  aggregate: writtenAggregationSchema,
});

/** A pattern as a node knows it. */
export interface Pattern extends PatternDefinition {
  /** The hash of the definition's content: executions keep to the definition that they were submitted with (X9). */
  readonly hash: string;
  readonly updatedAt?: string | undefined;
}

/** Checks a {@link Pattern}. */
export const patternSchema: ObjectSchema<Pattern> = z
  .object({
    ...writtenPatternDefinitionSchema.shape,
    hash: z.string(),
    updatedAt: timestampSchema.optional(),
  })
  .meta({ id: "Pattern" });

/** The query of `GET /api/patterns`. */
export interface ListPatternsQuery extends PageQuery {}

/** Checks a {@link ListPatternsQuery}. */
export const listPatternsQuerySchema: ObjectSchema<ListPatternsQuery> = z.strictObject({
  ...pageQuerySchema.shape,
});

/** The newest first. */
export interface PatternList {
  readonly patterns: readonly Pattern[];
  readonly cursor?: string | undefined;
}

/** Checks a {@link PatternList}. */
export const patternListSchema: ObjectSchema<PatternList> = z
  .object({ patterns: z.array(patternSchema), cursor: cursorSchema().optional() })
  .meta({ id: "PatternList" });
