import { ParallaxError } from "@parallax/core";
import { z } from "zod";
import type { FieldText } from "./store.ts";

/**
 * How a field is written (S5). Its schema decides, once:
 * - `text`: accepts strings only. Stored as they are.
 * - `json`: accepts no strings. Stored as JSON.
 * - `mixed`: may be both. JSON, except that a string that is no JSON text is stored as it is; so `blue` is stored as
 *   `blue`, and the string `5` as `"5"`, which tells it from the number.
 */
export type FieldKind = "text" | "json" | "mixed";

/** A field of a collection, at the edge. */
export interface FieldCodec {
  readonly kind: FieldKind;
  /** Whether a record may be without it. */
  readonly optional: boolean;
  /** The value as its schema gives it back. @throws ParallaxError `invalid_value` */
  check(value: unknown): unknown;
  /** The text of a checked value. @throws ParallaxError `invalid_value` if there is none, as for `NaN`. */
  encode(value: unknown): string;
  /** The value of a text. @throws SyntaxError if a `json` field holds none. */
  decode(text: string): unknown;
}

/** Codecs by field, in the order of the schema. */
export type Codecs = ReadonlyMap<string, FieldCodec>;

type AnySchema = z.core.$ZodType;

const textTypes = new Set(["string", "template_literal"]);
const jsonTypes = new Set(["number", "int", "boolean", "null", "object", "array", "tuple", "record"]);
const unstorable = new Set(["bigint", "date", "map", "set", "symbol", "function", "file", "promise"]);

function inner(schema: AnySchema): AnySchema | undefined {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodExactOptional ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodCatch ||
    schema instanceof z.ZodNonOptional
  ) {
    return schema.unwrap();
  }
  if (schema instanceof z.ZodPipe) return schema.out;
  return undefined;
}

function ofAll(kinds: readonly FieldKind[]): FieldKind {
  const [first = "mixed", ...others] = kinds;
  return others.every((kind) => kind === first) ? first : "mixed";
}

function kindOf(schema: AnySchema, name: string): FieldKind {
  const { type } = schema._zod.def;
  if (textTypes.has(type)) return "text";
  if (jsonTypes.has(type)) return "json";
  if (unstorable.has(type)) {
    throw invalidSchema(`field ${name} is a ${type}, which has no JSON; use a string or a number`);
  }
  if (schema instanceof z.ZodLiteral || schema instanceof z.ZodEnum) {
    const values: unknown[] = schema instanceof z.ZodEnum ? schema.options : [...schema.values];
    return ofAll(values.map((value) => (typeof value === "string" ? "text" : "json")));
  }
  if (schema instanceof z.ZodUnion)
    return ofAll(schema.options.map((option: AnySchema) => kindOf(option, name)));
  if (schema instanceof z.ZodNullable) return ofAll(["json", kindOf(schema.unwrap(), name)]);
  const wrapped = inner(schema);
  return wrapped ? kindOf(wrapped, name) : "mixed";
}

/** Fields of an object schema, or of each of the objects of a union. */
function fieldsOf(schema: AnySchema): [string, AnySchema][] {
  if (schema instanceof z.ZodObject) {
    const { catchall } = schema.def;
    if (!catchall || catchall instanceof z.ZodNever) return Object.entries(schema.shape);
    throw invalidSchema(
      "it lets unknown fields pass, and only known ones are stored; use z.object or z.strictObject",
    );
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option: AnySchema) => fieldsOf(option));
  const wrapped = inner(schema);
  if (wrapped) return fieldsOf(wrapped);
  throw invalidSchema("it is no object; describe the record's fields with z.object");
}

function invalidSchema(reason: string): ParallaxError<"invalid_schema"> {
  return new ParallaxError("invalid_schema", `opening a collection with its schema: ${reason}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @throws ParallaxError `invalid_value` for what has no JSON, such as a circle or a bigint. */
export function toJson(value: unknown, name: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw invalidValue(name, `it has no JSON (${String(error).split("\n")[0]})`);
  }
  if (text === undefined || (typeof value === "number" && !Number.isFinite(value))) {
    throw invalidValue(name, "it has no JSON");
  }
  return text;
}

/** The refusal of a value, before anything is sent. */
export function invalidValue(what: string, reason: string): ParallaxError<"invalid_value"> {
  return new ParallaxError("invalid_value", `writing ${what}: ${reason}; correct the value`, {
    details: { what },
  });
}

/** The first complaint of a schema, with its place. */
export function complaint(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  const place = issue?.path.length ? `${issue.path.map(String).join(".")}: ` : "";
  return `${place}${issue?.message ?? "it does not fit the schema"}`;
}

function createFieldCodec(name: string, schemas: readonly AnySchema[]): FieldCodec {
  const kind = ofAll(schemas.map((schema) => kindOf(schema, name)));
  return {
    kind,
    optional: schemas.some((schema) => schema._zod.optin === "optional"),
    check(value) {
      let failure: z.core.$ZodError | undefined;
      for (const schema of schemas) {
        const parsed = z.core.safeParse(schema, value);
        if (parsed.success) return parsed.data;
        failure ??= parsed.error;
      }
      throw invalidValue(`field ${name}`, failure ? complaint(failure) : "no schema accepts it");
    },
    encode(value) {
      if (typeof value !== "string") return toJson(value, `field ${name}`);
      return kind === "text" || (kind === "mixed" && !isJson(value)) ? value : JSON.stringify(value);
    },
    decode(text) {
      if (kind === "text" || (kind === "mixed" && !isJson(text))) return text;
      const value: unknown = JSON.parse(text);
      return value;
    },
  };
}

/**
 * The codecs of a schema's fields.
 * @throws ParallaxError `invalid_schema` if it is no object, or a field cannot be stored or is named like one of ours.
 */
export function createCodecs(schema: AnySchema): Codecs {
  const schemas = new Map<string, AnySchema[]>();
  for (const [name, field] of fieldsOf(schema)) {
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) {
      throw invalidSchema(`field ${name} needs a name of letters, digits, _ and -, beginning with a letter`);
    }
    schemas.set(name, [...(schemas.get(name) ?? []), field]);
  }
  return new Map([...schemas].map(([name, all]) => [name, createFieldCodec(name, all)]));
}

/** Texts of a checked value, in the order of the schema; fields that are undefined are left out. */
export function encodeFields(codecs: Codecs, value: Readonly<Record<string, unknown>>): FieldText[] {
  const texts: FieldText[] = [];
  for (const [name, codec] of codecs) {
    const field = Object.hasOwn(value, name) ? value[name] : undefined;
    if (field !== undefined) texts.push([name, codec.encode(field)]);
  }
  return texts;
}

/** Values of texts, not yet checked by the schema; fields that the schema does not know are left out. */
export function decodeFields(
  codecs: Codecs,
  fields: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const value: Record<string, unknown> = {};
  for (const [name, codec] of codecs) {
    const text = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (text !== undefined) value[name] = codec.decode(text);
  }
  return value;
}
