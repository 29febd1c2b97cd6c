import { createHash } from "node:crypto";
import { type Clock, type Logger, ParallaxError } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import { type Pattern, type PatternDefinition, writtenPatternDefinitionSchema } from "@parallax/protocol";
import type { Collection } from "@parallax/state-store";
import { z } from "zod";
import { canonicalJson } from "../executions/aggregation.ts";
import { present } from "../executions/present.ts";
import type { Schemas } from "../executions/schemas.ts";
import type { Functions } from "./functions.ts";

/** A pattern as stored, known by its name. */
export const patternRecordSchema = z.object({
  hash: z.string(),
  updatedAt: z.string(),
  definition: writtenPatternDefinitionSchema,
  /** The content of the function that it aggregates with (X9). */
  functionHash: z.string().optional(),
});

export type PatternRecord = z.infer<typeof patternRecordSchema>;

export interface PatternsOptions {
  readonly patterns: Collection<PatternRecord>;
  readonly bus: EventBus;
  readonly schemas: Schemas;
  readonly functions: Pick<Functions, "hashOf">;
  /** The topic that changes of patterns are announced on. */
  readonly topic: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The cluster's patterns: shared through the store, kept in memory until their change is announced. */
export interface Patterns {
  /** @throws ParallaxError `pattern_not_found` */
  get(name: string): Promise<Pattern>;
  /** What an execution journals of a pattern (X9). @throws ParallaxError `pattern_not_found` */
  use(name: string): Promise<UsedPattern>;
  /** A page of them, the newest first. */
  list(page: {
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<{ readonly items: readonly Pattern[]; readonly cursor?: string | undefined }>;
  /**
   * Creates or replaces a pattern, or only creates it with `replace: false`. Executions that were accepted before keep the
   * definition that they have.
   */
  put(definition: PatternDefinition, options?: { readonly replace?: boolean }): Promise<Pattern>;
  close(): void;
}

/** A pattern as an execution runs with it, whatever becomes of the pattern. */
export interface UsedPattern {
  readonly definition: PatternDefinition;
  readonly functionHash: string | undefined;
}

export function createPatterns(options: PatternsOptions): Patterns {
  const { patterns, bus, schemas, functions, topic, clock, logger } = options;
  const known = new Map<string, PatternRecord>();
  /** A read that began before a change must not be kept after it. */
  let changes = 0;

  const subscription = bus.subscribe(topic, { from: "now" }, (delivered) => {
    changes += 1;
    if (delivered.type === "gap") known.clear();
    else known.delete(String(delivered.event.id));
  });

  /** The function that a definition names. @throws ParallaxError `invalid_pattern` when this node doesn't have it. */
  function functionHashOf({ name, aggregate }: PatternDefinition): string | undefined {
    if (aggregate.strategy !== "function") return undefined;
    const hash = functions.hashOf(aggregate.module);
    if (hash !== undefined) return hash;
    const message = `storing pattern ${name}: this node had no module ${aggregate.module} in its directory of patterns when it started; put it there on every node and restart them`;
    throw new ParallaxError("invalid_pattern", message);
  }

  async function find(name: string): Promise<PatternRecord> {
    return known.get(name) ?? load(name);
  }

  async function load(name: string): Promise<PatternRecord> {
    await subscription.ready;
    const before = changes;
    const stored = await patterns.get(name);
    if (!stored) {
      const message = `finding pattern ${name}: there is none of this name; PUT it to /api/patterns/${name}, or put a file into the directory of patterns`;
      throw new ParallaxError("pattern_not_found", message);
    }
    if (before === changes) known.set(name, stored.value);
    return stored.value;
  }

  return {
    get: async (name) => viewOf(await find(name)),
    async use(name) {
      const { definition, functionHash } = await find(name);
      return { definition, functionHash };
    },
    async list(page) {
      const { records, cursor } = await patterns.list(page);
      return { items: records.map(({ value }) => viewOf(value)), cursor };
    },
    async put(definition, { replace = true } = {}) {
      const { name } = definition;
      schemas.assertUsable(definition);
      const functionHash = functionHashOf(definition);
      const content = functionHash === undefined ? definition : { ...definition, functionHash };
      const hash = createHash("sha256").update(canonicalJson(content)).digest("hex");
      const updatedAt = new Date(clock.wall()).toISOString();
      const record: PatternRecord = { hash, updatedAt, definition, ...present({ functionHash }) };
      const event = { type: "pattern-changed", id: name, hash };
      const created = await patterns.create(name, record, { event });
      if (created.outcome === "exists") {
        if (created.record.value.hash === hash || !replace) return viewOf(created.record.value);
        const unset = functionHash === undefined ? (["functionHash"] as const) : [];
        await patterns.update(name, { set: record, unset }, { event });
      }
      known.delete(name);
      logger.info("pattern stored", { pattern: name, hash });
      return viewOf(record);
    },
    close: () => subscription.close(),
  };
}

function viewOf({ definition, hash, updatedAt }: PatternRecord): Pattern {
  return { ...definition, hash, updatedAt };
}
