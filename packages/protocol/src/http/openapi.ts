import { z } from "zod";
import { errorBodySchema } from "./error-body.ts";
import { type ErrorCode, errorStatuses } from "./error-codes.ts";
import { clusterEventSchema, eventGapSchema } from "./events.ts";
import * as nodeOperations from "./node-operations.ts";
import { type Operation, operationTags } from "./operation.ts";
import * as operations from "./operations.ts";

type Json = Readonly<Record<string, unknown>>;

/** Every operation of the API. */
export const allOperations: readonly Operation[] = [
  ...Object.values(operations),
  ...Object.values(nodeOperations),
];

/** What {@link describeApi} needs. */
export interface ApiDescriptionOptions {
  /** Of the node that is described. */
  readonly version: string;
}

/** The OpenAPI 3.1 document of the API, made from the schemas that check its requests. */
export function describeApi({ version }: ApiDescriptionOptions): Json {
  const inputs = convert(Object.fromEntries(allOperations.map(({ id, input }) => [id, input])), "input");
  const outputs = convert(
    {
      ...Object.fromEntries(
        allOperations.flatMap(({ id, answer }) => (answer.schema ? [[id, answer.schema]] : [])),
      ),
      error: errorBodySchema,
      event: clusterEventSchema,
      gap: eventGapSchema,
    },
    "output",
  );
  const paths = new Map<string, Record<string, Json>>();
  for (const operation of allOperations) {
    const methods = paths.get(operation.path) ?? {};
    methods[operation.method.toLowerCase()] = describe(
      operation,
      field(inputs.schemas[operation.id], "properties"),
      outputs.schemas[operation.id],
      inputs.definitions,
    );
    paths.set(operation.path, methods);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Parallax",
      version,
      description:
        "Executions of patterns on agents, on a cluster of control-plane nodes. Any node answers any request.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The node that this description came from." }],
    tags: Object.entries(operationTags).map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries([...paths].sort(([a], [b]) => (a < b ? -1 : 1))),
    components: {
      schemas: merge(inputs.definitions, outputs.definitions),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "A token of `server.auth.tokens`. A node without tokens asks for none.",
        },
      },
    },
  };
}

function describe(
  operation: Operation,
  input: Json,
  answer: Json | undefined,
  definitions: Readonly<Record<string, Json>>,
): Json {
  const { id, tag, summary, description, role } = operation;
  const { contentType = "application/json", statuses } = operation.answer;
  const parameters = [
    ...parametersOf("path", input.params),
    ...parametersOf("query", input.query),
    ...parametersOf("header", input.headers),
  ];
  const content = { [contentType]: { schema: answer ?? { type: "string" } } };
  const succeeded = Object.entries(statuses).map(([status, meaning]) => [
    status,
    status === "101" ? { description: meaning } : { description: meaning, content },
  ]);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(role === undefined
      ? {}
      : { security: [{ token: [] }], "x-required-role": role === "admin" ? "admin" : `${role}, admin` }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(input.body === undefined ? {} : { requestBody: bodyOf(input.body, definitions) }),
    responses: { ...failures(operation, input.body !== undefined), ...Object.fromEntries(succeeded) },
  };
}

/** The fields of an object's schema, as parameters. */
function parametersOf(where: "path" | "query" | "header", schema: unknown): Json[] {
  const required = Object.values(field(schema, "required"));
  return Object.entries(field(schema, "properties")).map(([name, value]) => {
    const { description, ...rest } = Object(value);
    const isRequired = where === "path" || required.includes(name);
    return { name, in: where, ...(isRequired ? { required: true } : {}), description, schema: rest };
  });
}

function bodyOf(schema: unknown, definitions: Readonly<Record<string, Json>>): Json {
  const reference = String(Reflect.get(Object(schema), "$ref"));
  const definition = definitions[reference.slice(reference.lastIndexOf("/") + 1)] ?? schema;
  const required = Object.values(field(definition, "required")).length > 0;
  return { ...(required ? { required } : {}), content: { "application/json": { schema } } };
}

/** The codes that an operation fails with, by status. */
function failures({ role, path, errors }: Operation, hasBody: boolean): Json {
  const isOpen = path.startsWith("/api") || path.startsWith("/ha");
  const codes: readonly ErrorCode[] = [
    "invalid_request",
    ...(role === undefined ? [] : (["unauthorized", "forbidden"] as const)),
    ...(hasBody ? (["too_large", "unsupported_media_type"] as const) : []),
    ...errors,
    "internal",
    ...(isOpen ? (["not_ready", "redis_unavailable", "timeout"] as const) : []),
  ];
  const byStatus = grouped(codes, (code) => errorStatuses[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: [...new Set(names)].map((name) => `\`${name}\``).join(", "),
        ...(status === 429 || status === 503 ? { headers: { "Retry-After": retryAfter } } : {}),
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    ]),
  );
}

const retryAfter = {
  description: "Seconds after which another try may succeed; another node may at once.",
  schema: { type: "integer", minimum: 1 },
};

interface Converted {
  /** By the names that were given. */
  readonly schemas: Readonly<Record<string, Json>>;
  /** Those with an id of their own, which the others refer to. */
  readonly definitions: Readonly<Record<string, Json>>;
}

function convert(schemas: Readonly<Record<string, z.ZodType>>, io: "input" | "output"): Converted {
  const whole: unknown = z.toJSONSchema(z.object(schemas), {
    io,
    target: "draft-2020-12",
    override({ zodSchema, jsonSchema }) {
      const { def } = zodSchema._zod;
      // More fields may follow in any answer: only what is refused is described as closed.
      if (def.type === "object" && !("catchall" in def && def.catchall))
        delete jsonSchema.additionalProperties;
      // What zod adds for the machine is noise for people.
      if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.type === "object") delete jsonSchema.propertyNames;
    },
  });
  const renamed: unknown = JSON.parse(
    JSON.stringify(whole).replaceAll('"#/$defs/', '"#/components/schemas/'),
  );
  return { schemas: fieldsOf(field(renamed, "properties")), definitions: fieldsOf(field(renamed, "$defs")) };
}

/** Both kinds together. One name is one schema. */
function merge(a: Readonly<Record<string, Json>>, b: Readonly<Record<string, Json>>): Record<string, Json> {
  const all = new Map<string, Json>();
  for (const [name, { id: _id, ...schema }] of [...Object.entries(a), ...Object.entries(b)]) {
    const known = all.get(name);
    if (known && JSON.stringify(known) !== JSON.stringify(schema))
      throw new Error(`the schema ${name} differs between requests and answers; give it two ids`);
    all.set(name, schema);
  }
  return Object.fromEntries([...all].sort(([x], [y]) => (x < y ? -1 : 1)));
}

function field(value: unknown, name: string): Json {
  return { ...Object(Reflect.get(Object(value), name)) };
}

function fieldsOf(value: Json): Record<string, Json> {
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, { ...Object(each) }]));
}

function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
