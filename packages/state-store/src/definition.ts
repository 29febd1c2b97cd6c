import { ParallaxError } from "@parallax/core";
import type { z } from "zod";
import { checkWhole } from "./checks.ts";
import { type Codecs, complaint, createCodecs, decodeFields } from "./codec.ts";
import type { CollectionOptions, Fields, Stored } from "./collection.ts";
import { createKnownVersions, type KnownVersions } from "./known-versions.ts";
import type { Layout, StoredFields } from "./store.ts";

/** Bounds of what a store takes (S7). */
export interface StoreLimits {
  /** Bytes of the fields that one change sets. Default 4 MiB. */
  readonly recordBytes: number;
  /** Bytes of one deposit. Default 2 MiB. */
  readonly depositBytes: number;
  /** Bytes of an event as JSON. Default 16 KiB. */
  readonly eventBytes: number;
  /** Bytes of all deposits of a record. Default 64 MiB. */
  readonly inboxBytes: number;
  /** Entries of a record's own log. Default 200. */
  readonly logEntries: number;
}

export const defaultLimits: StoreLimits = {
  recordBytes: 4 * 1024 * 1024,
  depositBytes: 2 * 1024 * 1024,
  eventBytes: 16 * 1024,
  inboxBytes: 64 * 1024 * 1024,
  logEntries: 200,
};

/** A collection once its options are checked. */
export interface Definition<Value extends Fields> {
  readonly layout: Layout;
  readonly codecs: Codecs;
  readonly schema: z.ZodType<Value>;
  /** Whether what is written goes unchecked. */
  readonly trusted: boolean;
  readonly migrate: CollectionOptions<Value>["migrate"];
  readonly known: KnownVersions;
}

/** Names under which a partition keeps other things than records. */
const reserved = new Set(["index", "expiry", "fence", "log", "ha", "events"]);

function invalid(code: "invalid_collection" | "invalid_index", name: string, reason: string): ParallaxError {
  return new ParallaxError(code, `opening collection ${JSON.stringify(name)}: ${reason}`);
}

/** @throws ParallaxError `invalid_collection`, `invalid_schema`, `invalid_index` */
export function define<Value extends Fields>(
  options: CollectionOptions<Value>,
  limits: StoreLimits,
): Definition<Value> {
  const { name, schema, indexes = [], final = {}, topic, version = 1, migrate } = options;
  const { logEntries = limits.logEntries, trusted = false } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(name) || reserved.has(name)) {
    const taken = [...reserved].join(", ");
    throw invalid(
      "invalid_collection",
      name,
      `choose a name of letters, digits and dashes, none of ${taken}`,
    );
  }
  if (topic !== undefined && !/^[\w-]{1,64}$/.test(topic)) {
    throw invalid("invalid_collection", name, `choose a topic of letters, digits, _ and -`);
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    throw invalid("invalid_collection", name, `choose a whole version from 1 on`);
  }
  checkWhole("invalid_value", "the entries of a record's log", logEntries, 0);
  const codecs = createCodecs(schema);
  const finals: Record<string, readonly string[]> = {};
  for (const [field, values] of Object.entries(final)) {
    if (Array.isArray(values)) finals[field] = values.map(String);
  }
  for (const field of [...indexes, ...Object.keys(finals)]) {
    // The texts are compared as they are stored, and only strings are stored as they are.
    if (codecs.get(field)?.kind === "text") continue;
    throw invalid("invalid_index", name, `field ${field} is no string of its schema; name one that is`);
  }
  const layout: Layout = {
    collection: name,
    indexes: [...new Set(indexes)],
    final: finals,
    topic,
    schema: version,
    maxLogEntries: logEntries,
    maxInboxBytes: limits.inboxBytes,
  };
  return { layout, codecs, schema, trusted, migrate, known: createKnownVersions() };
}

/** Texts in the newest version of the schema. @throws ParallaxError `newer_schema`, `invalid_record` */
export function upgrade<Value extends Fields>(
  { layout, migrate }: Pick<Definition<Value>, "layout" | "migrate">,
  stored: StoredFields,
): Readonly<Record<string, string>> {
  if (stored.schema === layout.schema) return stored.fields;
  const record = `${layout.collection} ${stored.id}`;
  if (stored.schema > layout.schema) {
    throw new ParallaxError(
      "newer_schema",
      `reading ${record}: its schema has version ${stored.schema}, and version ${layout.schema} is known here; upgrade this node`,
      { details: { id: stored.id, schema: stored.schema } },
    );
  }
  if (!migrate)
    throw invalidRecord(record, stored.id, `its schema has version ${stored.schema}; give migrate`);
  return migrate(stored.fields, stored.schema);
}

/** The record as its schema gives it back. @throws ParallaxError `newer_schema`, `invalid_record` */
export function toRecord<Value extends Fields>(
  definition: Definition<Value>,
  stored: StoredFields,
): Stored<Value> {
  const { layout, codecs, schema } = definition;
  const record = `${layout.collection} ${stored.id}`;
  const fields = upgrade(definition, stored);
  const { id, version, createdAtMs, updatedAtMs, expiresAtMs } = stored;
  const parsed = schema.safeParse(decode(codecs, fields, record, id));
  if (!parsed.success) throw invalidRecord(record, id, complaint(parsed.error));
  return { id, value: parsed.data, version, createdAtMs, updatedAtMs, expiresAtMs };
}

function decode(
  codecs: Codecs,
  fields: Readonly<Record<string, string>>,
  record: string,
  id: string,
): Readonly<Record<string, unknown>> {
  try {
    return decodeFields(codecs, fields);
  } catch (error) {
    throw invalidRecord(record, id, `a field is no JSON (${String(error)})`);
  }
}

function invalidRecord(record: string, id: string, reason: string): ParallaxError<"invalid_record"> {
  const message = `reading ${record}: what is stored does not fit its schema (${reason}); mend or delete the record`;
  return new ParallaxError("invalid_record", message, { details: { id } });
}
