import { ParallaxError } from "@parallax/core";
import type { PatternDefinition } from "@parallax/protocol";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { canonicalJson } from "./aggregation.ts";

/** How many compiled schemas are kept. */
const cacheSize = 1000;

/** Checks inputs and results against the JSON Schemas of patterns (draft 2020-12). */
export interface Schemas {
  /** @throws ParallaxError `invalid_pattern` when one of the pattern's schemas is none. */
  assertUsable(definition: PatternDefinition): void;
  /** @throws ParallaxError `invalid_input` naming what is wrong and where. */
  assertInput(definition: PatternDefinition, input: unknown): void;
  /** What is wrong with a task's result, if anything is. */
  resultProblem(definition: PatternDefinition, result: unknown): string | undefined;
}

export function createSchemas(): Schemas {
  let made: Ajv2020 | undefined;
  const compiled = new Map<string, ValidateFunction>();

  /** Made when it is first asked for: it reads the draft's own schemas, and many patterns have none. */
  function validator(): Ajv2020 {
    made ??= new Ajv2020({ strict: false, allErrors: true, addUsedSchema: false });
    return made;
  }

  function compile(schema: Readonly<Record<string, unknown>>): ValidateFunction {
    const key = canonicalJson(schema);
    const known = compiled.get(key);
    if (known) return known;
    const [oldest] = compiled.keys();
    if (compiled.size >= cacheSize && oldest !== undefined) compiled.delete(oldest);
    const copy = { ...schema };
    const ajv = validator();
    const validate = ajv.compile(copy);
    // What it remembers itself is neither bounded nor replaced by a later schema of the same $id.
    ajv.removeSchema(copy);
    compiled.set(key, validate);
    return validate;
  }

  function problem(
    schema: Readonly<Record<string, unknown>> | undefined,
    value: unknown,
    name: string,
  ): string | undefined {
    if (schema === undefined) return undefined;
    const validate = compile(schema);
    if (validate(value)) return undefined;
    return validator().errorsText(validate.errors, { dataVar: name, separator: "; " });
  }

  return {
    assertUsable({ name, inputSchema, resultSchema }) {
      for (const [field, schema] of Object.entries({ inputSchema, resultSchema })) {
        try {
          if (schema) compile(schema);
        } catch (cause) {
          const message = `reading pattern ${name}: its ${field} is no JSON Schema; correct it`;
          throw new ParallaxError("invalid_pattern", message, { cause });
        }
      }
    },
    assertInput({ name, inputSchema }, input) {
      const found = problem(inputSchema, input, "input");
      if (found !== undefined)
        throw new ParallaxError("invalid_input", `submitting to pattern ${name}: ${found}`);
    },
    resultProblem: ({ resultSchema }, result) => problem(resultSchema, result, "result"),
  };
}
