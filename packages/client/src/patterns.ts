import {
  type Aggregation,
  type Pattern,
  type PatternDefinition,
  patternListSchema,
  patternSchema,
} from "@parallax/protocol";
import { type CallOptions, type Requester, signalOf, value } from "./request.ts";

const path = "/api/patterns";

/** A pattern as it is written: what has a default may be left out. */
export interface PatternInput extends Omit<PatternDefinition, "agents" | "retries" | "aggregate"> {
  readonly agents?: PatternDefinition["agents"];
  readonly retries?: number;
  readonly aggregate: Aggregation;
}

/** The patterns of the cluster. */
export interface Patterns {
  list(options?: CallOptions): Promise<readonly Pattern[]>;
  /** @throws ParallaxError `pattern_not_found` */
  get(name: string, options?: CallOptions): Promise<Pattern>;
  /** Writes a pattern. Executions that were submitted before keep to the old one (X9). */
  put(pattern: PatternInput, options?: CallOptions): Promise<Pattern>;
}

export function createPatterns(requester: Requester): Patterns {
  const one = (name: string): string => `${path}/${encodeURIComponent(name)}`;
  return {
    async list(options = {}) {
      const base = { what: "listing patterns", method: "GET", path, repeatable: true } as const;
      const answer = await requester.call({ ...base, ...signalOf(options), schema: patternListSchema });
      return answer.value.patterns;
    },
    get(name, options = {}) {
      const base = {
        what: `reading the pattern ${name}`,
        method: "GET",
        path: one(name),
        repeatable: true,
      } as const;
      return value(requester.call({ ...base, ...signalOf(options), schema: patternSchema }));
    },
    put(pattern, options = {}) {
      const what = `writing the pattern ${pattern.name}`;
      const base = { what, method: "PUT", path: one(pattern.name), body: pattern, repeatable: true } as const;
      return value(requester.call({ ...base, ...signalOf(options), schema: patternSchema }));
    },
  };
}
