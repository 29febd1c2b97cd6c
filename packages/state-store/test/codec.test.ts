import { isParallaxError } from "@parallax/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createCodecs, decodeFields, encodeFields } from "../src/codec.ts";

function kindOf(schema: z.ZodType): string | undefined {
  return createCodecs(z.object({ field: schema })).get("field")?.kind;
}

describe("how a field is written", () => {
  it("takes schemas that accept strings only as text", () => {
    const schemas = [
      z.string(),
      z.string().min(3).optional(),
      z.enum(["a", "b"]),
      z.literal(["a", "b"]),
      z.iso.datetime(),
      z.email().default("a@b.example"),
      z.union([z.literal("a"), z.string().startsWith("b")]),
      z.string().brand("Id").readonly(),
      z.templateLiteral(["exec_", z.string()]),
    ];
    expect(schemas.map(kindOf)).toEqual(schemas.map(() => "text"));
  });

  it("takes schemas that accept no strings as JSON", () => {
    const schemas = [
      z.number(),
      z.int().optional(),
      z.boolean(),
      z.array(z.string()),
      z.object({ a: z.string() }).nullable(),
      z.record(z.string(), z.string()),
      z.tuple([z.string()]),
      z.literal([1, null, true]),
      z.discriminatedUnion("type", [z.object({ type: z.literal("a") }), z.object({ type: z.literal("b") })]),
    ];
    expect(schemas.map(kindOf)).toEqual(schemas.map(() => "json"));
  });

  it("takes everything else as possibly both", () => {
    const schemas = [
      z.unknown(),
      z.any(),
      z.string().nullable(),
      z.union([z.string(), z.number()]),
      z.json(),
    ];
    expect(schemas.map(kindOf)).toEqual(schemas.map(() => "mixed"));
  });

  it("S5: leaves strings as they are, and everything else is JSON", () => {
    const codecs = createCodecs(
      z.object({ a: z.string(), b: z.array(z.number()), c: z.unknown(), d: z.unknown() }),
    );
    const texts = encodeFields(codecs, { a: "5", b: [1, 2], c: "blue", d: "5" });
    expect(Object.fromEntries(texts)).toEqual({ a: "5", b: "[1,2]", c: "blue", d: '"5"' });
  });

  it("writes the fields in the order of the schema", () => {
    const codecs = createCodecs(z.object({ status: z.string(), pattern: z.string(), startedAt: z.string() }));
    const texts = encodeFields(codecs, { startedAt: "t", pattern: "p", status: "s" });
    expect(texts.map(([field]) => field)).toEqual(["status", "pattern", "startedAt"]);
  });

  it("gives back every JSON value and every string, whatever the kind of its field", () => {
    const codecs = createCodecs(
      z.object({
        text: z.string(),
        json: z.array(z.unknown()),
        mixed: z.unknown(),
        maybe: z.string().nullable(),
      }),
    );
    const record = fc.record({
      text: fc.string({ unit: "grapheme" }),
      json: fc.array(fc.jsonValue()),
      mixed: fc.oneof(
        fc.jsonValue(),
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      maybe: fc.oneof(fc.string(), fc.constantFrom(null, "null", "5", '"')),
    });
    fc.assert(
      fc.property(record, (value) => {
        const texts = Object.fromEntries(encodeFields(codecs, value));
        // JSON itself has no negative zero.
        expect(decodeFields(codecs, texts)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses schemas whose values it could not give back", () => {
    const invalid = [
      z.object({ when: z.date() }),
      z.object({ big: z.bigint().optional() }),
      z.object({ set: z.set(z.string()) }),
      z.object({ _ours: z.string() }),
      z.looseObject({ a: z.string() }),
      z.string(),
    ];
    for (const schema of invalid) {
      expect(() => createCodecs(schema)).toThrow(expect.objectContaining({ code: "invalid_schema" }));
    }
  });

  it("knows the fields of each object of a union", () => {
    const codecs = createCodecs(
      z.union([
        z.object({ type: z.literal("a"), value: z.string() }),
        z.object({ type: z.literal("b"), value: z.number() }),
      ]),
    );
    expect(codecs.get("type")?.kind).toBe("text");
    expect(codecs.get("value")?.kind).toBe("mixed");
    expect(codecs.get("value")?.check(5)).toBe(5);
    expect(codecs.get("value")?.check("5")).toBe("5");
    expect(() => codecs.get("value")?.check(true)).toThrow(
      expect.objectContaining({ code: "invalid_value" }),
    );
  });

  it("refuses a value without JSON", () => {
    const codecs = createCodecs(z.object({ a: z.unknown() }));
    const attempt = (value: unknown) => () => encodeFields(codecs, { a: value });
    for (const value of [() => 1, Symbol("x"), Number.NaN]) {
      expect(attempt(value)).toThrow(expect.objectContaining({ code: "invalid_value" }));
    }
    expect(isParallaxError(new Error("other"))).toBe(false);
  });
});
