import {
  type Aggregation,
  getPattern,
  listPatterns,
  type Pattern,
  type PatternDefinition,
  putPattern,
} from "@parallax/protocol";
import { allPages } from "./pages.ts";
import { type CallOptions, type Requester, signalOf } from "./request.ts";

/** A pattern as it is written: what has a default may be left out. */
export interface PatternInput extends Omit<PatternDefinition, "agents" | "retries" | "aggregate"> {
  readonly agents?: PatternDefinition["agents"];
  readonly retries?: number;
  readonly aggregate: Aggregation;
}

/** The patterns of the cluster. */
export interface Patterns {
  /** All of them, by name. */
  list(options?: CallOptions): Promise<readonly Pattern[]>;
  /** @throws ParallaxError `pattern_not_found` */
  get(name: string, options?: CallOptions): Promise<Pattern>;
  /** Writes a pattern. Executions that were submitted before keep to the old one (X9). */
  put(pattern: PatternInput, options?: CallOptions): Promise<Pattern>;
}

export function createPatterns(requester: Requester): Patterns {
  return {
    async list(options = {}) {
      const base = { what: "listing patterns", operation: listPatterns, repeatable: true };
      const pages = allPages(
        undefined,
        (cursor) =>
          requester.call({ ...base, input: { query: { limit: 1000, cursor } }, ...signalOf(options) }),
        (page) => page.patterns,
      );
      const found: Pattern[] = [];
      for await (const pattern of pages) found.push(pattern);
      return found.sort((one, other) => (one.name < other.name ? -1 : 1));
    },
    get(name, options = {}) {
      const what = `reading the pattern ${name}`;
      const base = { what, operation: getPattern, input: { params: { name } }, repeatable: true };
      return requester.call({ ...base, ...signalOf(options) });
    },
    put(pattern, options = {}) {
      const { name } = pattern;
      const body = { agents: { min: 1, max: 1 }, retries: 0, ...pattern };
      const what = `writing the pattern ${name}`;
      const base = { what, operation: putPattern, input: { params: { name }, body }, repeatable: true };
      return requester.call({ ...base, ...signalOf(options) });
    },
  };
}
