import { createHash } from "node:crypto";
import { type Clock, type Logger, ParallaxError } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import { type Pattern, type PatternDefinition, patternDefinitionSchema } from "@parallax/protocol";
import type { Collection } from "@parallax/state-store";
import { z } from "zod";
import { canonicalJson } from "../executions/aggregation.ts";
import type { Schemas } from "../executions/schemas.ts";

/** A pattern as stored, known by its name. */
export const patternRecordSchema = z.object({
  hash: z.string(),
  updatedAt: z.string(),
  definition: patternDefinitionSchema,
});

export type PatternRecord = z.infer<typeof patternRecordSchema>;

export interface PatternsOptions {
  readonly patterns: Collection<PatternRecord>;
  readonly bus: EventBus;
  readonly schemas: Schemas;
  /** The topic that changes of patterns are announced on. */
  readonly topic: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The cluster's patterns: shared through the store, kept in memory until their change is announced. */
export interface Patterns {
  /** @throws ParallaxError `pattern_not_found` */
  get(name: string): Promise<Pattern>;
  list(): Promise<readonly Pattern[]>;
  /** Creates or replaces a pattern. Executions that were accepted before keep the definition that they have. */
  put(definition: PatternDefinition): Promise<Pattern>;
  close(): void;
}

export function createPatterns(options: PatternsOptions): Patterns {
  const { patterns, bus, schemas, topic, clock, logger } = options;
  const known = new Map<string, Pattern>();
  /** A read that began before a change must not be kept after it. */
  let changes = 0;

  const subscription = bus.subscribe(topic, { from: "now" }, (delivered) => {
    changes += 1;
    if (delivered.type === "gap") known.clear();
    else known.delete(String(delivered.event.id));
  });

  function assertUsable(definition: PatternDefinition): void {
    schemas.assertUsable(definition);
    if (definition.aggregate.strategy !== "function") return;
    const message = `storing pattern ${definition.name}: functions of users can't aggregate yet; choose another strategy`;
    throw new ParallaxError("unsupported_strategy", message);
  }

  async function load(name: string): Promise<Pattern> {
    await subscription.ready;
    const before = changes;
    const stored = await patterns.get(name);
    if (!stored) {
      const message = `finding pattern ${name}: there is none of this name; PUT it to /api/patterns/${name}, or put a file into the directory of patterns`;
      throw new ParallaxError("pattern_not_found", message);
    }
    const pattern = viewOf(stored.value);
    if (before === changes) known.set(name, pattern);
    return pattern;
  }

  return {
    get: async (name) => known.get(name) ?? load(name),
    async list() {
      const { records } = await patterns.list({ limit: 1000 });
      return records.map(({ value }) => viewOf(value)).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async put(definition) {
      const { name } = definition;
      assertUsable(definition);
      const hash = createHash("sha256").update(canonicalJson(definition)).digest("hex");
      const record: PatternRecord = { hash, updatedAt: new Date(clock.wall()).toISOString(), definition };
      const event = { type: "pattern-changed", id: name, hash };
      const created = await patterns.create(name, record, { event });
      if (created.outcome === "exists") {
        if (created.record.value.hash === hash) return viewOf(created.record.value);
        await patterns.update(name, { set: record }, { event });
      }
      known.delete(name);
      logger.info("pattern stored", { pattern: name, hash });
      return viewOf(record);
    },
    close: () => subscription.close(),
  };
}

/** The definition alone, as an execution journals it (X9). */
export function definitionOf({
  hash: _hash,
  updatedAt: _updatedAt,
  ...definition
}: Pattern): PatternDefinition {
  return definition;
}

function viewOf({ definition, hash, updatedAt }: PatternRecord): Pattern {
  return { ...definition, hash, updatedAt };
}
