import { describe, expect, it } from "vitest";
import { createSchemas } from "../../src/executions/schemas.ts";
import { definitionOf } from "../support/records.ts";

const text = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };

describe("the JSON Schemas of patterns", () => {
  it("let any input and result pass where there are none", () => {
    const schemas = createSchemas();
    expect(() => schemas.assertInput(definitionOf(), undefined)).not.toThrow();
    expect(schemas.resultProblem(definitionOf(), Symbol)).toBeUndefined();
  });

  it("refuse an input, naming all that is wrong and where", () => {
    const schemas = createSchemas();
    const properties = { text: { type: "string" }, n: { type: "integer" } };
    const definition = definitionOf({ inputSchema: { ...text, properties } });
    expect(() => schemas.assertInput(definition, { text: 1, n: "x" })).toThrow(
      "submitting to pattern p: input/text must be string; input/n must be integer",
    );
    expect(() => schemas.assertInput(definition, { text: "t" })).not.toThrow();
  });

  it("say what is wrong with a result", () => {
    const schemas = createSchemas();
    const definition = definitionOf({ resultSchema: { enum: ["yes", "no"] } });
    expect(schemas.resultProblem(definition, "maybe")).toBe(
      "result must be equal to one of the allowed values",
    );
    expect(schemas.resultProblem(definition, "yes")).toBeUndefined();
  });

  it("are refused with the pattern when they are none", () => {
    const definition = definitionOf({ resultSchema: { type: "nonsense" } });
    expect(() => createSchemas().assertUsable(definition)).toThrow(
      expect.objectContaining({
        code: "invalid_pattern",
        message: "reading pattern p: its resultSchema is no JSON Schema; correct it",
      }),
    );
  });

  it("may change and keep their $id", () => {
    const schemas = createSchemas();
    const $id = "https://example.com/input";
    schemas.assertUsable(definitionOf({ inputSchema: { $id, type: "string" } }));
    const changed = definitionOf({ inputSchema: { $id, type: "number" } });
    expect(() => schemas.assertUsable(changed)).not.toThrow();
    expect(() => schemas.assertInput(changed, 1)).not.toThrow();
    expect(() => schemas.assertInput(changed, "text")).toThrow();
  });

  it("stay usable however many there are", () => {
    const schemas = createSchemas();
    const definition = (least: number) => definitionOf({ inputSchema: { type: "number", minimum: least } });
    for (let least = 0; least < 1500; least += 1) schemas.assertInput(definition(least), least);
    expect(() => schemas.assertInput(definition(7), 6)).toThrow();
  });
});
