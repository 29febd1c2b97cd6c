import { configSchema } from "./schema.ts";
import { variables } from "./sources.ts";
import { duration, flag, port, size, span } from "./values.ts";

/** What kind of value a key takes, for people. */
export type ValueKind = "duration" | "size" | "true or false" | "number" | "text" | "list";

/** One key of the configuration, as the schema has it. */
export interface ConfigKey {
  /** From the top: `["redis", "url"]`. */
  readonly path: readonly string[];
  readonly kind: ValueKind;
  /** As it comes out of the schema: durations in milliseconds, sizes in bytes. */
  readonly default: unknown;
  readonly description: string;
  /** Never shown. */
  readonly secret: boolean;
  /** The values that are taken, where they are few. */
  readonly choices: readonly string[];
  /** The environment variable that sets it. */
  readonly variable: string | undefined;
}

/** What is read of a zod schema: its own types do not tell what a wrapper wraps. */
interface Node {
  readonly def: {
    readonly type: string;
    readonly innerType?: unknown;
    readonly in?: unknown;
    readonly entries?: Readonly<Record<string, string>>;
    readonly defaultValue?: unknown;
  };
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly description?: string;
  meta(): { readonly secret?: unknown } | undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "def" in value && "meta" in value;
}

/** Every key of the configuration, in the order of the schema. */
export function configKeys(): ConfigKey[] {
  return below(configSchema, []);
}

/** The names of the keys below a path, none where it holds a value. */
export function keysBelow(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const key of path) schema = sectionOf(schema)?.[String(key)];
  return Object.keys(sectionOf(schema) ?? {});
}

function below(schema: unknown, path: readonly string[]): ConfigKey[] {
  const section = sectionOf(schema);
  if (!section) return [keyOf(layersOf(schema), path)];
  return Object.entries(section).flatMap(([name, child]) => below(child, [...path, name]));
}

/** The keys of a section, looked for behind defaults and transforms. */
function sectionOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  return layersOf(schema).find(({ shape }) => shape)?.shape;
}

/** A schema and what it wraps, from the outside in. */
function layersOf(schema: unknown): Node[] {
  if (!isNode(schema)) return [];
  const { innerType, type, in: input } = schema.def;
  return [schema, ...layersOf(innerType ?? (type === "pipe" ? input : undefined))];
}

function keyOf(layers: readonly Node[], path: readonly string[]): ConfigKey {
  const find = <Value>(read: (layer: Node) => Value | undefined): Value | undefined =>
    layers.map(read).find((value) => value !== undefined);
  const name = path.join(".");
  const variable = Object.entries(variables).find(([, sets]) => sets.join(".") === name)?.[0];
  return {
    path,
    kind: kindOf(layers),
    default: find(({ def }) => def.defaultValue),
    description: find(({ description }) => description) ?? "",
    secret: layers.some((layer) => layer.meta()?.secret === true),
    choices: Object.keys(find(({ def }) => def.entries) ?? {}),
    variable,
  };
}

function kindOf(layers: readonly Node[]): ValueKind {
  const known: readonly (readonly [unknown, ValueKind])[] = [
    [duration, "duration"],
    [span, "duration"],
    [size, "size"],
    [flag, "true or false"],
    [port, "number"],
  ];
  for (const layer of layers) {
    const found = known.find(([schema]) => schema === layer);
    if (found) return found[1];
  }
  const type = layers.at(-1)?.def.type;
  if (type === "array") return "list";
  return type === "number" || type === "int" ? "number" : "text";
}
